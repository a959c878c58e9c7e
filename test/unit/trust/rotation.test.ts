import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UpdaterError, type ErrorCode } from '../../../src/errors.ts';
import { readCertificates } from '../../../src/trust/certificate.ts';
import { keySetText } from '../../../src/trust/key-set.ts';
import { checkKeySet, underKeySet, verifySuccessor } from '../../../src/trust/rotation.ts';
import type { TrustedSet } from '../../../src/trust/rotation.ts';
import { makeKeyAt, setOf, signedSet, signText, type MadeKey } from './key-chain.ts';
import { depsIn, realGpg, scratch, type Gpg, type Scratch } from './support.ts';

let directory: Scratch;
let gpg: Gpg;
let a: MadeKey;
let b: MadeKey;
let c: MadeKey;
let expired: MadeKey;
const MADE = '2024-01-10T00:00:00Z';
const NOW = Date.now();

beforeAll(async () => {
  directory = await scratch();
  gpg = await realGpg(directory.path);
  a = await makeKeyAt(gpg, 'a', '2024-01-01T00:00:00Z');
  b = await makeKeyAt(gpg, 'b', '2024-01-01T00:00:00Z');
  c = await makeKeyAt(gpg, 'c', '2024-01-01T00:00:00Z');
  expired = await makeKeyAt(gpg, 'expired', '2024-01-01T00:00:00Z', '30d');
}, 60_000);

afterAll(async () => {
  await gpg[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

function trusted(number: number, threshold: number, ...keys: readonly MadeKey[]): TrustedSet {
  return { number, threshold, keys: keys.map(({ certificate }) => certificate) };
}

async function follow(bytes: Uint8Array, before: TrustedSet, now = NOW, gpgv = '/usr/bin/gpgv') {
  return verifySuccessor(bytes, before, 'demo', { ...depsIn(directory.path, now), gpgv });
}

async function codeOf(bytes: Uint8Array, before: TrustedSet, now?: number, gpgv?: string): Promise<string> {
  return follow(bytes, before, now, gpgv).then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof UpdaterError) return error.code;
      throw error;
    },
  );
}

describe('the next key set', () => {
  it('follows when the thresholds of both sets signed it [F044]', async () => {
    const set = setOf({ number: 2, keys: [b, c], threshold: 2, at: MADE });
    const { set: read, text, keys } = await follow(await signedSet(gpg, set, [a, b, c]), trusted(1, 1, a));
    expect(read).toEqual(set);
    expect(text).toBe(keySetText(set));
    expect(keys).toEqual([b.certificate, c.certificate]);
  });

  it('does not follow when only the old keys signed it, or only the new ones [F044]', async () => {
    const set = setOf({ number: 2, keys: [b], at: MADE });
    expect(await codeOf(await signedSet(gpg, set, [a]), trusted(1, 1, a))).toBe('TRUST_KEY_CHAIN');
    expect(await codeOf(await signedSet(gpg, set, [b]), trusted(1, 1, a))).toBe('TRUST_KEY_CHAIN');
    expect(await codeOf(await signedSet(gpg, set, [b, a]), trusted(1, 1, a))).toBe('accepted');
  });

  it('needs the whole threshold of either set, of distinct keys [F041] [F044]', async () => {
    const two = setOf({ number: 2, keys: [b, c], threshold: 2, at: MADE });
    expect(await codeOf(await signedSet(gpg, two, [a, b]), trusted(1, 1, a))).toBe('TRUST_KEY_CHAIN');
    expect(await codeOf(await signedSet(gpg, two, [a, b, b]), trusted(1, 1, a))).toBe('TRUST_KEY_CHAIN');
    const fromTwo = await signedSet(gpg, setOf({ number: 2, keys: [c], at: MADE }), [a, a, c]);
    expect(await codeOf(fromTwo, trusted(1, 2, a, b))).toBe('TRUST_KEY_CHAIN');
  });

  it('counts one signature for both sets, where the key is in both [F044]', async () => {
    const set = setOf({ number: 2, keys: [a, b], at: MADE });
    expect(await codeOf(await signedSet(gpg, set, [a]), trusted(1, 1, a))).toBe('accepted');
  });

  it.each([
    ['a number that is not the next', { number: 3 }, 'TRUST_KEY_CHAIN'],
    ['the number of the set before', { number: 1 }, 'TRUST_KEY_CHAIN'],
    ['the name of another product [F030]', { name: 'other' }, 'TRUST_WRONG_PRODUCT'],
  ])('is refused with %s', async (_, changes, code) => {
    const set = setOf({ number: 2, keys: [b], at: MADE, ...changes });
    expect(await codeOf(await signedSet(gpg, set, [a, b]), trusted(1, 1, a))).toBe(code);
  });

  it('is refused when it was made in the future, and taken at the edge of what clocks may differ [F038]', async () => {
    const bytes = await signedSet(gpg, setOf({ number: 2, keys: [b], at: MADE }), [a, b]);
    expect(await codeOf(bytes, trusted(1, 1, a), Date.parse(MADE) - 10_000)).toBe('accepted');
    expect(await codeOf(bytes, trusted(1, 1, a), Date.parse(MADE) - 10_001)).not.toBe('accepted');
  });

  it('is not parsed before the keys of the set before have signed it', async () => {
    const text = 'no key set at all';
    expect(await codeOf(await signText(gpg, text, [b], MADE), trusted(1, 1, a))).toBe('TRUST_KEY_CHAIN');
    expect(await codeOf(await signText(gpg, text, [a], MADE), trusted(1, 1, a))).toBe('TRUST_KEY_SET');
    const later = await signText(gpg, '{"schema":2}', [a], MADE);
    expect(await codeOf(later, trusted(1, 1, a))).toBe('TRUST_NEWER_SCHEMA');
  });

  it('is no key set when the envelope is none [F032]', async () => {
    expect(await codeOf(Buffer.from('<html>'), trusted(1, 1, a))).toBe('TRUST_ENVELOPE');
  });

  it('blames the verifier, not the set, when gpgv is missing [F046]', async () => {
    const bytes = await signedSet(gpg, setOf({ number: 2, keys: [b], at: MADE }), [a, b]);
    expect(await codeOf(bytes, trusted(1, 1, a), NOW, '/nonexistent/gpgv')).toBe('TRUST_VERIFIER');
  });

  it('follows from a key that has expired since, and not from one that had when it signed [F045]', async () => {
    const set = setOf({ number: 2, keys: [b], at: MADE });
    expect(await codeOf(await signedSet(gpg, set, [expired, b]), trusted(1, 1, expired))).toBe('accepted');
    const prolonged = await makeKeyAt(gpg, 'prolonged', '2024-01-01T00:00:00Z', '30d');
    await gpg('--quick-set-expire', prolonged.certificate.fingerprint, '0');
    const late = await signedSet(gpg, setOf({ number: 2, keys: [b], at: '2024-06-01T00:00:00Z' }), [prolonged, b]);
    expect(await codeOf(late, trusted(1, 1, prolonged))).toBe('TRUST_KEY_CHAIN');
    await expect(follow(late, trusted(1, 1, prolonged))).rejects.toThrow(/\(key-expired\)/);
  });

  it('does not follow from a revoked key, whenever it signed', async () => {
    await using place = await scratch();
    await using other = await realGpg(place.path);
    const key = await makeKeyAt(other, 'revoked', '2024-01-01T00:00:00Z');
    const { fingerprint } = key.certificate;
    const bytes = await signedSet(other, setOf({ number: 2, keys: [key], at: MADE }), [key]);
    expect(await codeOf(bytes, trusted(1, 1, key))).toBe('accepted');
    const file = join(other.home, 'openpgp-revocs.d', `${fingerprint}.rev`);
    // gpg guards it with a colon against being imported by mistake.
    await writeFile(file, (await readFile(file, 'utf8')).replace(':-----BEGIN', '-----BEGIN'));
    await other('--import', file);
    const [now] = readCertificates(await other('--export', fingerprint));
    if (now === undefined) throw new Error('no key');
    expect(await codeOf(bytes, { number: 1, threshold: 1, keys: [now] })).toBe('TRUST_KEY_CHAIN');
  });

  it('is reached by five steps after two years offline, each by keys that have expired since [F045]', async () => {
    let before = await makeKeyAt(gpg, 'first', '2023-12-01T00:00:00Z', '150d');
    let here = trusted(1, 1, before);
    const steps: { at: string; key: MadeKey }[] = [];
    for (const month of ['2024-02', '2024-06', '2024-10', '2025-02', '2025-06']) {
      steps.push({ at: `${month}-20T00:00:00Z`, key: await makeKeyAt(gpg, month, `${month}-01T00:00:00Z`, '150d') });
    }
    for (const [index, { at, key }] of steps.entries()) {
      const set = setOf({ number: index + 2, keys: [key], at });
      const { keys } = await follow(await signedSet(gpg, set, [before, key]), here);
      here = { number: index + 2, threshold: 1, keys, expires: set.expires };
      before = key;
    }
    expect(here.number).toBe(6);
    // What counts is the last one, and that one is out of date.
    expect(() => {
      checkKeySet(here, NOW);
    }).toThrow(expect.objectContaining({ code: 'TRUST_KEYS_EXPIRED', exit: 5 }));
  });
});

describe('checkKeySet', () => {
  it('refuses from the moment that the set expires, and never the keys of the operator [F029]', () => {
    const at = (now: number, expires?: number) => () => {
      checkKeySet({ number: 2, ...(expires === undefined ? {} : { expires }) }, now);
    };
    expect(at(999, 1000)).not.toThrow();
    expect(at(1000, 1000)).toThrow(expect.objectContaining({ code: 'TRUST_KEYS_EXPIRED' }));
    expect(at(1000)).not.toThrow();
  });
});

describe('underKeySet', () => {
  const walked: TrustedSet = { number: 3, threshold: 1, keys: [], expires: NOW };
  const refused = (code: ErrorCode) => new UpdaterError(code, 'refused', { remedy: 'keys add' });

  it.each(['TRUST_THRESHOLD', 'TRUST_KEY_EXPIRED', 'TRUST_KEY_REVOKED'] as const)(
    'takes the advice to add a key out of %s on a host that has walked, and on no other [F044]',
    (code) => {
      expect(underKeySet(refused(code), walked).remedy).toMatch(/keys\/4\.json.*Add no key/);
      expect(underKeySet(refused(code), trusted(1, 1)).remedy).toBe('keys add');
    },
  );

  it('leaves what is said of anything but keys', () => {
    expect(underKeySet(refused('TRUST_EXPIRED'), walked).remedy).toBe('keys add');
  });
});
