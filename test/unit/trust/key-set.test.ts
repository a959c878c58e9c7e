import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UpdaterError } from '../../../src/errors.ts';
import { parseFingerprint } from '../../../src/release.ts';
import { certificatesOf, keySetPath, keySetText, parseKeySet } from '../../../src/trust/key-set.ts';
import type { KeySet } from '../../../src/trust/key-set.ts';
import { cases } from '../../rig/cases.ts';
import { certificate, fixture } from './support.ts';

const a = { fingerprint: (await certificate('release-a.asc')).fingerprint, certificate: await armour('release-a.asc') };
const b = { fingerprint: (await certificate('release-b.asc')).fingerprint, certificate: await armour('release-b.asc') };

const set: KeySet = {
  schema: 1,
  name: 'demo',
  number: 2,
  published: Date.parse('2026-11-20T12:00:00Z'),
  expires: Date.parse('2027-11-20T12:00:00Z'),
  threshold: 2,
  keys: [a, b],
};
const wire = JSON.parse(keySetText(set)) as Record<string, unknown>;

async function armour(name: string): Promise<string> {
  return (await fixture(`keys/${name}`)).toString('latin1');
}

function withTop(changes: object): string {
  return JSON.stringify({ ...wire, ...changes });
}

function withKey(changes: object): string {
  return withTop({ keys: [a, { ...b, ...changes }] });
}

function codeOf(text: string): string {
  try {
    parseKeySet(text);
    return 'accepted';
  } catch (error) {
    if (error instanceof UpdaterError) return error.code;
    throw error;
  }
}

describe('parseKeySet', () => {
  it('reads what keySetText writes, and gives the certificates as the verifiers take them', async () => {
    expect(parseKeySet(keySetText(set))).toEqual(set);
    expect(certificatesOf(set)).toEqual([await certificate('release-a.asc'), await certificate('release-b.asc')]);
    expect(keySetPath(2)).toBe('keys/2.json');
  });

  it('ignores fields that it does not know', () => {
    expect(parseKeySet(withTop({ later: [1], keys: [{ ...a, owner: 'x' }, b] }))).toEqual(set);
  });

  it.each([
    ['no JSON', '-----BEGIN PGP PUBLIC KEY BLOCK-----'],
    ['a list', '[]'],
    ['a name twice [F032]', withTop({}).replace('{', '{"threshold":1,')],
    ['a prototype [F032]', withTop({}).replace('{', '{"__proto__":{},')],
    ['more bytes than a text may have [F031]', withTop({ filler: 'x'.repeat(64 * 1024) })],
    ['no schema', withTop({ schema: undefined })],
    ['number 0', withTop({ number: 0 })],
    ['a number that nobody can walk to', withTop({ number: 10_001 })],
    ['half a number', withTop({ number: 1.5 })],
    ['a name with a path in it [F034]', withTop({ name: '../demo' })],
    ['threshold 0 [F042]', withTop({ threshold: 0 })],
    ['a threshold above its keys [F042]', withTop({ threshold: 3 })],
    ['no keys [F042]', withTop({ keys: [], threshold: 1 })],
    ['seventeen keys', withTop({ keys: Array(17).fill(a) })],
    ['one key twice [F041]', withTop({ keys: [a, a] })],
    ['an end before its beginning', withTop({ expires: '2026-11-20T11:59:59Z' })],
    ['a time that does not exist', withTop({ published: '2026-02-30T00:00:00Z' })],
    ['a short fingerprint', withKey({ fingerprint: b.fingerprint.slice(-16) })],
    ['a fingerprint in another spelling', withKey({ fingerprint: b.fingerprint.toLowerCase() })],
    ["another key's certificate", withKey({ certificate: a.certificate })],
    ['a certificate that is none', withKey({ certificate: '-----BEGIN PGP PUBLIC KEY BLOCK-----' })],
    ['two keys in one certificate', withKey({ certificate: `${a.certificate}${b.certificate}` })],
    ['text before a certificate', withKey({ certificate: `hello\n${b.certificate}` })],
    ['a certificate that is larger than one may be', withKey({ certificate: b.certificate.padEnd(16 * 1024 + 1) })],
  ])('refuses %s', (_, text) => {
    expect(codeOf(text)).toBe('TRUST_KEY_SET');
  });

  it.each([
    ['a later schema', withTop({ schema: 2, keys: 'elsewhere' })],
    ['a field that must be obeyed', withTop({ critical: ['keys.weight'] })],
  ])('asks for a newer node-updater on %s [F033]', (_, text) => {
    expect(codeOf(text)).toBe('TRUST_NEWER_SCHEMA');
  });

  it('takes what is at its limits', () => {
    expect(codeOf(withTop({ number: 10_000, critical: ['keys.certificate', 'threshold'] }))).toBe('accepted');
    expect(codeOf(withTop({ expires: '2026-11-20T12:00:01Z' }))).toBe('accepted');
    expect(codeOf(withKey({ certificate: b.certificate.trimEnd().padEnd(16 * 1024, '\n') }))).toBe('accepted');
  });

  it('comes to a verdict about any text, and never to another set than the text states [F032]', () => {
    const field = fc.constantFrom(...Object.keys(wire));
    fc.assert(
      fc.property(field, fc.jsonValue({ maxDepth: 3 }), (name, value) => {
        const text = JSON.stringify({ ...wire, [name]: value });
        if (codeOf(text) !== 'accepted') return;
        expect(JSON.parse(keySetText(parseKeySet(text)))).toMatchObject({
          keys: wire['keys'] as object,
          [name]: value,
        });
      }),
      { seed: 4, numRuns: cases(500) },
    );
  });
});

describe('keySetText', () => {
  it('refuses to write what no host would take', () => {
    const stranger = { ...b, fingerprint: parseFingerprint('F'.repeat(40)) ?? b.fingerprint };
    expect(() => keySetText({ ...set, keys: [a, stranger] })).toThrow(/holds/);
    expect(() => keySetText({ ...set, threshold: 3 })).toThrow(/threshold/);
  });
});
