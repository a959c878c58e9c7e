import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UpdaterError } from '../../../src/errors.ts';
import type { Certificate } from '../../../src/trust/certificate.ts';
import { verifyWithOpenpgp } from '../../../src/trust/openpgp.ts';
import { framePacket, readPackets } from '../../../src/trust/packets.ts';
import { signaturePackets } from '../../../src/trust/structure.ts';
import { judgeBlock, verifyEnvelope } from '../../../src/trust/verify.ts';
import { certificate, CORPUS_NOW, depsIn, fixture, newKey, realGpg, scratch, signed } from './support.ts';

const a = await certificate('release-a.gpg');
const b = await certificate('release-r.gpg');
const text = (await fixture('manifest.json')).toString();
const byA = (await fixture('sigs/00-good-ed25519.asc')).toString();
const byR = (await fixture('sigs/02-good-rsa-subkey-sha512.asc')).toString();

function envelope(manifest: string, ...signatures: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify({ manifest, signatures }));
}

async function verify(bytes: Buffer, keys: readonly Certificate[], threshold: number) {
  await using directory = await scratch();
  return await verifyEnvelope(bytes, keys, threshold, depsIn(directory.path));
}

async function failure(bytes: Buffer, keys: readonly Certificate[], threshold: number): Promise<UpdaterError> {
  return verify(bytes, keys, threshold).then(
    () => expect.unreachable('it was accepted'),
    (error: unknown) => error as UpdaterError,
  );
}

describe('verifyEnvelope', () => {
  it('gives the text and its signers when enough keys signed [F040] [F041]', async () => {
    expect(await verify(envelope(text, byA), [a, b], 1)).toEqual({ text, signers: [a.fingerprint] });
    const both = await verify(envelope(text, byA, byR), [a, b], 2);
    expect(both.signers).toEqual([a.fingerprint, b.fingerprint]);
  });

  it('accepts what a person made by hand with gpg and jq [F040]', async () => {
    await using directory = await scratch();
    await using gpg = await realGpg(directory.path);
    const key = await newKey(gpg, 'publisher');
    const file = join(directory.path, 'manifest.txt');
    await writeFile(file, '{"by":"hand – ä"}\n');
    const bytes = envelope('{"by":"hand – ä"}\n', (await signed(gpg, 'publisher', file)).toString());
    const verified = await verifyEnvelope(bytes, [key], 1, depsIn(directory.path, Date.now()));
    expect(verified.signers).toEqual([key.fingerprint]);
  });

  it('counts a key once that signs twice [F041]', async () => {
    const error = await failure(envelope(text, byA, byA), [a, b], 2);
    expect(error).toMatchObject({ code: 'TRUST_THRESHOLD', exit: 5 });
    expect(error.message).toContain('1 of the 2 trusted keys');
  });

  it('says of each signature what was wrong, in words and a reason to search for [F041]', async () => {
    const tampered = (await fixture('sigs/20-corrupt-s.asc')).toString();
    const error = await failure(envelope(text, byA, tampered, 'hello'), [a, b], 2);
    expect(error.message).toMatch(/signature 1: good, by 9B32D2ED[0-9A-F]{32};/);
    expect(error.message).toMatch(/signature 2: refused \(bad-signature\): /);
    expect(error.message).toMatch(/signature 3: refused \(structure\): it does not start with an armoured SIGNATURE/);
    expect((error.cause as AggregateError).errors).toHaveLength(2);
  });

  it('keeps its message on one printable line whatever a signer wrote', async () => {
    const notation = (await fixture('sigs/39-critical-notation.asc')).toString();
    const error = await failure(envelope(text, notation, '\u001b[2J\n\n<0>x'), [a, b], 1);
    expect(error.message).toMatch(/^[\x20-\x7e]+$/);
  });

  it('refuses two signatures in one entry of the envelope, and says so [F039]', async () => {
    const two = (await fixture('sigs/03-two-keys.asc')).toString();
    expect((await failure(envelope(text, two), [a, b], 1)).message).toContain('more than 1 packets');
  });

  it('does not count the signature of one document for another [F026] [F039]', async () => {
    const other = (await fixture('manifest-tampered.json')).toString();
    expect(await failure(envelope(other, byA, byR), [a, b], 1)).toMatchObject({ code: 'TRUST_BAD_SIGNATURE' });
  });

  it.each([0, -1, 1.5, NaN, 3])('never takes a threshold of %d over two keys as met [F042]', async (threshold) => {
    expect(await failure(envelope(text, byA, byR), [a, b], threshold)).toMatchObject({ code: 'TRUST_NO_KEYS' });
  });

  it('never takes the same key listed twice for two keys, or no keys for consent [F042]', async () => {
    expect(await failure(envelope(text, byA, byR), [a, a], 2)).toMatchObject({ code: 'TRUST_NO_KEYS' });
    expect(await failure(envelope(text, byA), [], 1)).toMatchObject({ code: 'TRUST_NO_KEYS' });
  });
});

describe('a flipped bit', () => {
  const document = Buffer.from(text);
  const packet = Buffer.from(signaturePackets(Buffer.from(byA), 1)[0] ?? []);
  const body = Buffer.from(readPackets(packet, 1)[0]?.body ?? []);
  const hashedEnd = 6 + body.readUInt16BE(4);

  function flipped(bytes: Buffer, bit: number): Buffer {
    const copy = Buffer.from(bytes);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return copy;
  }

  it('in the document is never accepted [F039]', async () => {
    const bits = fc.nat(document.length * 8 - 1);
    await fc.assert(
      fc.asyncProperty(bits, async (bit) => {
        expect(await verifyWithOpenpgp(flipped(document, bit), packet, a, CORPUS_NOW)).toBeDefined();
        expect(await judged(flipped(document, bit), Buffer.from(byA))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  async function judged(bytes: Buffer, armoured: Buffer): Promise<readonly string[]> {
    await using directory = await scratch();
    const verdicts = await judgeBlock(bytes, armoured, 1, [a, b], depsIn(directory.path));
    return verdicts.flatMap((verdict) => (verdict.accepted ? [verdict.signer] : []));
  }

  function armour(signature: Buffer): Buffer {
    const base64 = framePacket({ tag: 2, body: signature })
      .toString('base64')
      .replace(/.{64}(?=.)/g, '$&\n');
    return Buffer.from(`-----BEGIN PGP SIGNATURE-----\n\n${base64}\n-----END PGP SIGNATURE-----\n`);
  }

  it('in what the signature signs of itself is never accepted [F039]', async () => {
    for (let bit = 0; bit < hashedEnd * 8; bit++) {
      expect(await judged(document, armour(flipped(body, bit))), `bit ${bit}`).toEqual([]);
    }
  });

  it('in the signature’s numbers is never accepted [F039]', async () => {
    // Two numbers of 32 bytes at the end, each after its length of 2 bytes.
    const numbers = [body.length - 32, body.length - 66];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...numbers), fc.nat(32 * 8 - 1), async (start, bit) => {
        expect(await judged(document, armour(flipped(body, start * 8 + bit)))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('anywhere in the armoured file leads to a refusal or to the same signer, never to a crash [F039]', async () => {
    const armoured = Buffer.from(byA);
    await fc.assert(
      fc.asyncProperty(fc.nat(armoured.length * 8 - 1), async (bit) => {
        const signers = await judged(document, flipped(armoured, bit));
        expect([[], [a.fingerprint]]).toContainEqual(signers);
      }),
      { numRuns: 150 },
    );
  });
});
