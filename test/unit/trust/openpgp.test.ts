import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Certificate } from '../../../src/trust/certificate.ts';
import { verifyWithGpgv } from '../../../src/trust/gpgv.ts';
import { checkSigner, verifyWithOpenpgp } from '../../../src/trust/openpgp.ts';
import { plainSignature, signaturePackets } from '../../../src/trust/structure.ts';
import {
  certificate,
  CORPUS_NOW,
  depsIn,
  exported,
  fixture,
  newKey,
  realGpg,
  scratch,
  signed,
  type Gpg,
} from './support.ts';

const DAY = 86_400_000;
const document = await fixture('manifest.json');

async function packetOf(file: string): Promise<Uint8Array> {
  const [packet] = signaturePackets(await fixture(`sigs/${file}`), 1);
  return packet ?? Buffer.of();
}

/** A real gpg in a private home, with the document beside it; `at` pretends a time. */
async function withGpg(test: (gpg: Gpg, sign: (options?: readonly string[]) => Promise<Uint8Array>) => Promise<void>) {
  await using directory = await scratch();
  await using gpg = await realGpg(directory.path);
  const file = join(directory.path, 'document');
  await writeFile(file, document);
  await test(gpg, async (options = []) => {
    const [packet] = signaturePackets(await signed(gpg, 'publisher', file, options), 1);
    return packet ?? Buffer.of();
  });
}

function at(time: string): readonly string[] {
  return ['--faked-system-time', time];
}

async function bothAccept(packet: Uint8Array, key: Certificate, now: number): Promise<void> {
  await using directory = await scratch();
  expect(plainSignature(packet)).toBeUndefined();
  expect(await verifyWithOpenpgp(document, packet, key, now)).toBeUndefined();
  expect(await verifyWithGpgv({ bytes: document }, packet, key, depsIn(directory.path))).toBeUndefined();
}

describe('verifyWithOpenpgp', () => {
  it('accepts what a real gpg signs, as gpgv does [F040]', async () => {
    await withGpg(async (gpg, sign) => {
      const key = await newKey(gpg, 'publisher');
      await bothAccept(await sign(), key, Date.now());
    });
  });

  it('accepts a signing subkey of a key whose older subkey has expired [F040]', async () => {
    await withGpg(async (gpg, sign) => {
      const { fingerprint } = await newKey(gpg, 'publisher', at('20260101T000000'));
      await gpg(...at('20260101T000000'), '--quick-add-key', fingerprint, 'ed25519', 'sign', '10d');
      await gpg(...at('20260201T000000'), '--quick-add-key', fingerprint, 'ed25519', 'sign', 'never');
      await bothAccept(await sign(), await exported(gpg, 'publisher'), Date.now());
    });
  });

  it('accepts an older signature of a key that was prolonged since [F040]', async () => {
    await withGpg(async (gpg, sign) => {
      await gpg(...at('20260101T000000'), '--quick-generate-key', 'publisher', 'ed25519', 'sign', '30d');
      const before = await sign(at('20260110T000000'));
      const { fingerprint } = await exported(gpg, 'publisher');
      await gpg(...at('20260120T000000'), '--quick-set-expire', fingerprint, 'never');
      await bothAccept(before, await exported(gpg, 'publisher'), Date.now());
    });
  });

  it('refuses a key that has expired since it signed [F043]', async () => {
    await withGpg(async (gpg, sign) => {
      await gpg(...at('20260101T000000'), '--quick-generate-key', 'publisher', 'ed25519', 'sign', '30d');
      const packet = await sign(at('20260110T000000'));
      const key = await exported(gpg, 'publisher');
      const lastMoment = Date.parse('2026-01-31T00:00:00Z');
      expect(await verifyWithOpenpgp(document, packet, key, lastMoment - 1)).toBeUndefined();
      expect(await verifyWithOpenpgp(document, packet, key, lastMoment)).toMatchObject({ reason: 'key-expired' });
      await using directory = await scratch();
      const byGpgv = await verifyWithGpgv({ bytes: document }, packet, key, depsIn(directory.path));
      expect(byGpgv).toMatchObject({ reason: 'key-expired' });
    });
  });

  it('refuses a signing subkey that has expired since it signed [F043]', async () => {
    await withGpg(async (gpg, sign) => {
      const { fingerprint } = await newKey(gpg, 'publisher', at('20260101T000000'));
      await gpg(...at('20260101T000000'), '--quick-add-key', fingerprint, 'ed25519', 'sign', '30d');
      const packet = await sign(at('20260110T000000'));
      const key = await exported(gpg, 'publisher');
      expect(await verifyWithOpenpgp(document, packet, key, Date.parse('2026-01-20T00:00:00Z'))).toBeUndefined();
      expect(await verifyWithOpenpgp(document, packet, key, CORPUS_NOW)).toMatchObject({ reason: 'key-expired' });
    });
  });

  // gpg asks for the reason as a number: 1 compromised, 2 superseded, 3 retired.
  it.each([
    ['compromised', '1'],
    ['superseded', '2'],
    ['retired', '3'],
  ])('refuses a key that is revoked as %s, whatever the date of its signature [F039]', async (_, reason) => {
    await withGpg(async (gpg, sign) => {
      const { fingerprint } = await newKey(gpg, 'publisher', at('20260101T000000'));
      const packet = await sign(at('20260102T000000'));
      const answers = join(gpg.home, 'answers');
      await writeFile(answers, `y\n${reason}\n\ny\n`);
      const certificateFile = join(gpg.home, 'revocation');
      await gpg(
        '--no-batch',
        '--no-tty',
        '--command-file',
        answers,
        '--output',
        certificateFile,
        '--gen-revoke',
        fingerprint,
      );
      await gpg('--import', certificateFile);
      const refused = await verifyWithOpenpgp(document, packet, await exported(gpg, 'publisher'), Date.now());
      expect(refused).toMatchObject({ reason: 'key-revoked' });
    });
  });

  it('refuses a 2048-bit RSA key and accepts one of 3072 bits [F039]', async () => {
    await withGpg(async (gpg, sign) => {
      await gpg('--quick-generate-key', 'publisher', 'rsa2048', 'sign', 'never');
      const weak = await exported(gpg, 'publisher');
      const refused = await verifyWithOpenpgp(document, await sign(), weak, Date.now());
      expect(refused).toMatchObject({ reason: 'weak-key', message: expect.stringContaining('2048') as string });
    });
    const rsa = await certificate('release-r.gpg');
    await bothAccept(await packetOf('02-good-rsa-subkey-sha512.asc'), rsa, CORPUS_NOW);
  });

  it('allows ten seconds between the clocks of the signer and of this host, no more [F038]', async () => {
    const packet = await packetOf('00-good-ed25519.asc');
    const key = await certificate('release-a.gpg');
    const made = Date.parse('2026-01-02T00:00:00Z');
    expect(await verifyWithOpenpgp(document, packet, key, made - 10_000)).toBeUndefined();
    const refused = await verifyWithOpenpgp(document, packet, key, made - 10_001);
    expect(refused).toMatchObject({ reason: 'signature-from-future' });
  });

  it('refuses a signature from the moment at which it expires [F039]', async () => {
    const packet = await packetOf('29-sig-expired.asc');
    const key = await certificate('release-a.gpg');
    const end = Date.parse('2026-01-07T00:00:00Z');
    expect(await verifyWithOpenpgp(document, packet, key, end - DAY)).toBeUndefined();
    expect(await verifyWithOpenpgp(document, packet, key, end)).toMatchObject({ reason: 'signature-expired' });
  });

  it('refuses a key whose self-signature is made with SHA-1 [F039]', async () => {
    await withGpg(async (gpg, sign) => {
      await gpg('--cert-digest-algo', 'SHA1', '--quick-generate-key', 'publisher', 'rsa3072', 'sign', 'never');
      const key = await exported(gpg, 'publisher');
      expect(await verifyWithOpenpgp(document, await sign(), key, Date.now())).toMatchObject({
        reason: 'key-unusable',
        message: expect.stringContaining('Insecure hash algorithm: SHA1') as string,
      });
    });
  });

  it('knows a signature that names no trusted key [F039]', async () => {
    const packet = await packetOf('00-good-ed25519.asc');
    const refused = await verifyWithOpenpgp(document, packet, await certificate('attacker-same-uid.gpg'), CORPUS_NOW);
    expect(refused).toMatchObject({
      reason: 'unknown-key',
      message: expect.stringContaining('F2702EB1F9FD24EC') as string,
    });
  });
});

describe('checkSigner', () => {
  it('judges key and signature without the signed bytes', async () => {
    const key = await certificate('release-a.gpg');
    expect(await checkSigner(await packetOf('20-corrupt-s.asc'), key, CORPUS_NOW)).toBeUndefined();
    const future = await checkSigner(await packetOf('30-sig-future.asc'), key, CORPUS_NOW);
    expect(future).toMatchObject({ reason: 'signature-from-future' });
  });
});
