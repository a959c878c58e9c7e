import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UpdaterError } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';
import { keySetText, parseKeySet } from '../../../src/trust/key-set.ts';
import { parseManifest } from '../../../src/trust/manifest.ts';
import { verifySuccessor } from '../../../src/trust/rotation.ts';
import type { TrustedSet } from '../../../src/trust/rotation.ts';
import { framePacket, readPackets } from '../../../src/trust/packets.ts';
import { signaturePackets } from '../../../src/trust/structure.ts';
import { verifyEnvelope } from '../../../src/trust/verify.ts';
import { cases } from '../../rig/cases.ts';
import { manifestOf } from '../machine/source-rig.ts';
import { makeKeyAt, setOf, signedSet, signText, type MadeKey } from './key-chain.ts';
import { depsIn, realGpg, scratch, type Gpg, type Scratch } from './support.ts';

/** What is done to bytes on their way: a bit, a byte, a run of bytes cut out, doubled, moved or made up. */
type Mutation = (bytes: Buffer) => Buffer;

const where = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(where, fc.nat(7)).map(([at, bit]): Mutation => (bytes) => {
    const copy = Buffer.from(bytes);
    const index = Math.floor(at * bytes.length);
    copy[index] = (copy[index] ?? 0) ^ (1 << bit);
    return copy;
  }),
  fc.tuple(where, where, fc.constantFrom(0, 2)).map(([at, length, times]): Mutation => (bytes) => {
    const start = Math.floor(at * bytes.length);
    const end = start + Math.ceil(length ** 3 * (bytes.length - start));
    const piece = bytes.subarray(start, end);
    return Buffer.concat([bytes.subarray(0, start), ...Array<Buffer>(times).fill(piece), bytes.subarray(end)]);
  }),
  fc.tuple(where, fc.uint8Array({ minLength: 1, maxLength: 40 })).map(([at, extra]): Mutation => (bytes) => {
    const index = Math.floor(at * (bytes.length + 1));
    return Buffer.concat([bytes.subarray(0, index), extra, bytes.subarray(index)]);
  }),
  fc
    .tuple(where, fc.constantFrom('"', '\\', '\\n', '\\u0000', '{', ',', '/', ' ', '-----', '='))
    .map(([at, extra]): Mutation => (bytes) => {
      const index = Math.floor(at * (bytes.length + 1));
      return Buffer.concat([bytes.subarray(0, index), Buffer.from(extra), bytes.subarray(index)]);
    }),
);
const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });

const apply = (bytes: Buffer, all: readonly Mutation[]): Buffer => all.reduce((one, change) => change(one), bytes);

let directory: Scratch;
let gpg: Gpg;
let a: MadeKey;
let b: MadeKey;
let envelope: Buffer;
let keySet: Buffer;
const text = manifestOf(7);
const MADE = '2025-01-01T00:00:00Z';

beforeAll(async () => {
  directory = await scratch();
  gpg = await realGpg(directory.path);
  a = await makeKeyAt(gpg, 'a', '2024-01-01T00:00:00Z');
  b = await makeKeyAt(gpg, 'b', '2024-01-01T00:00:00Z');
  envelope = await signText(gpg, text, [a, b], MADE);
  keySet = await signedSet(gpg, setOf({ number: 2, keys: [b], at: MADE }), [a, b]);
}, 60_000);
afterAll(async () => {
  await gpg[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const deps = () => depsIn(directory.path, Date.now());

/** What was accepted, or undefined for a refusal that a person can read. Anything else that is thrown is a crash. */
async function acceptedOr<T>(verify: () => Promise<T>): Promise<T | undefined> {
  try {
    return await verify();
  } catch (error) {
    if (!(error instanceof UpdaterError) || !error.code.startsWith('TRUST_') || error.code === 'TRUST_VERIFIER')
      throw error;
    expect(error.remedy).not.toBe('');
    return undefined;
  }
}

const RUNS = { seed: 20_261_121, numRuns: cases(1000) };

describe('whatever happens to signed bytes on their way', () => {
  it(
    'a manifest comes out as it was signed, by those who signed it, or not at all [F039] [F032]',
    { timeout: 600_000 },
    async () => {
      const keys = [a.certificate, b.certificate];
      const signers = new Set(keys.map(({ fingerprint }) => fingerprint));
      await fc.assert(
        fc.asyncProperty(mutations, async (changes) => {
          const bytes = apply(envelope, changes);
          const verified = await acceptedOr(() => verifyEnvelope(bytes, keys, 1, deps()));
          if (verified === undefined) return;
          expect(verified.text).toBe(text);
          expect(verified.signers.every((signer) => signers.has(signer))).toBe(true);
        }),
        RUNS,
      );
    },
  );

  it(
    'a manifest that needs two signatures never comes with one that was broken [F041]',
    { timeout: 600_000 },
    async () => {
      const signature = (JSON.parse(envelope.toString()) as { signatures: string[] }).signatures;
      const keys = [a.certificate, b.certificate];
      const [packet] = signaturePackets(Buffer.from(signature[1] ?? ''), 1);
      const body = Buffer.from(readPackets(packet ?? Buffer.alloc(0), 1)[0]?.body ?? []);
      // All but the unhashed subpackets and the two bytes of the digest that are there for speed: those sign nothing.
      const hashed = 6 + body.readUInt16BE(4);
      const unhashed = 2 + body.readUInt16BE(hashed);
      const signedPart = Buffer.concat([body.subarray(0, hashed), body.subarray(hashed + unhashed + 2)]);
      const rest = body.subarray(hashed, hashed + unhashed + 2);
      // How many bits a number has is said before it, and the readers take it from its bytes.
      const second = hashed + 2 + Math.ceil(signedPart.readUInt16BE(hashed) / 8);
      const lengths = [hashed, hashed + 1, second, second + 1];
      const bits = fc.nat(signedPart.length * 8 - 1).filter((bit) => !lengths.includes(bit >> 3));
      await fc.assert(
        fc.asyncProperty(bits, async (bit) => {
          const changed = Buffer.from(signedPart);
          changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          const broken = Buffer.concat([changed.subarray(0, hashed), rest, changed.subarray(hashed)]);
          const base64 = framePacket({ tag: 2, body: broken })
            .toString('base64')
            .replace(/.{64}(?=.)/g, '$&\n');
          const armoured = `-----BEGIN PGP SIGNATURE-----\n\n${base64}\n-----END PGP SIGNATURE-----\n`;
          const bytes = Buffer.from(JSON.stringify({ manifest: text, signatures: [signature[0], armoured] }));
          expect(await acceptedOr(() => verifyEnvelope(bytes, keys, 2, deps()))).toBeUndefined();
        }),
        { ...RUNS, numRuns: cases(150) },
      );
    },
  );

  it('a key set follows as it was signed, or not at all [F044]', { timeout: 600_000 }, async () => {
    const before: TrustedSet = { number: 1, threshold: 1, keys: [a.certificate] };
    const stated = (JSON.parse(keySet.toString()) as { manifest: string }).manifest;
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        const bytes = apply(keySet, changes);
        const successor = await acceptedOr(() => verifySuccessor(bytes, before, 'demo', deps()));
        if (successor !== undefined) expect(successor.text).toBe(stated);
      }),
      RUNS,
    );
  });
});

describe('whatever a publisher signs by mistake', () => {
  it(
    'a manifest and a key set are read as they stand or refused, and never above their limits [F031] [F032]',
    { timeout: 600_000 },
    () => {
      const key = { number: 2, keys: [a, b], at: MADE };
      const texts = [text, keySetText(setOf(key))];
      fc.assert(
        fc.property(mutations, (changes) => {
          for (const [index, one] of texts.entries()) {
            const changed = apply(Buffer.from(one), changes).toString('utf8');
            try {
              if (index === 0) {
                const { releases, withdrawn } = parseManifest(changed);
                expect(releases.length).toBeLessThanOrEqual(LIMITS.releases);
                expect(withdrawn.length).toBeLessThanOrEqual(LIMITS.releases);
              } else {
                const { keys, threshold } = parseKeySet(changed);
                expect(threshold).toBeLessThanOrEqual(keys.length);
                expect(keys.every(({ fingerprint }) => changed.includes(fingerprint))).toBe(true);
              }
            } catch (error) {
              if (!(error instanceof UpdaterError)) throw error;
              expect(error.code).toMatch(/^TRUST_(MANIFEST|KEY_SET|NEWER_SCHEMA)$/);
            }
          }
        }),
        { ...RUNS, numRuns: cases(2000) },
      );
    },
  );

  it('bytes above a limit are refused before anybody looks into them [F031]', async () => {
    const keys = [a.certificate];
    const large = Buffer.alloc(LIMITS.envelope + 1, ' ');
    await expect(verifyEnvelope(large, keys, 1, deps())).rejects.toMatchObject({ code: 'TRUST_ENVELOPE' });
    const filled = JSON.stringify({ manifest: 'x'.repeat(LIMITS.manifest + 1), signatures: ['x'] });
    await expect(verifyEnvelope(Buffer.from(filled), keys, 1, deps())).rejects.toMatchObject({
      code: 'TRUST_ENVELOPE',
    });
  });
});
