import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Run } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import type { Fingerprint } from '../../../src/release.ts';
import { readStatus, verifyWithGpgv } from '../../../src/trust/gpgv.ts';
import { signaturePackets } from '../../../src/trust/structure.ts';
import { tooFewSigners } from '../../../src/trust/verdict.ts';
import { judgeBlock } from '../../../src/trust/verify.ts';
import { certificate, depsIn, fixture, scratch } from './support.ts';

const key = await certificate('release-a.gpg');
const document = await fixture('manifest.json');
const asc = await fixture('sigs/00-good-ed25519.asc');
const packet = signaturePackets(asc, 1)[0] ?? Buffer.of();
const bytes = { bytes: document };
const A = '9B32D2ED6A906442B6563607F2702EB1F9FD24EC' as Fingerprint;
const GOOD = '[GNUPG:] GOODSIG F2702EB1F9FD24EC NAU test release A <a@example.org>';
const valid = (end: string): string => `[GNUPG:] VALIDSIG ${A} 2026-01-02 1767312000 0 4 0 22 ${end}`;
const VALID = valid(`8 00 ${A}`);
const other = 'F'.repeat(40);

function status(...lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

describe('readStatus', () => {
  it('takes exactly one good signature by the key that was asked for [F040]', () => {
    expect(readStatus(status('[GNUPG:] NEWSIG', GOOD, VALID), A)).toBeUndefined();
  });

  it('ignores the expiry of a subkey that did not sign, and keywords that say nothing of validity [F040]', () => {
    const lines = ['[GNUPG:] KEYEXPIRED 1767312000', '[GNUPG:] NOTATION_DATA EXPKEYSIG%20x', GOOD, VALID];
    expect(readStatus(status(...lines), A)).toBeUndefined();
  });

  it.each([
    ['REVKEYSIG F2702EB1F9FD24EC x', 'key-revoked'],
    ['EXPKEYSIG F2702EB1F9FD24EC x', 'key-expired'],
    ['EXPSIG F2702EB1F9FD24EC x', 'signature-expired'],
    ['BADSIG F2702EB1F9FD24EC x', 'bad-signature'],
    ['ERRSIG F2702EB1F9FD24EC 22 8 00 1767312000 9 -', 'gpgv-refused'],
    ['NO_PUBKEY F2702EB1F9FD24EC', 'unknown-key'],
    ['NODATA 4', 'gpgv-refused'],
    ['UNEXPECTED 0', 'gpgv-refused'],
    ['FAILURE gpgv 4294967295', 'gpgv-refused'],
    ['ERROR verify.findkey 9', 'gpgv-refused'],
    ['PLAINTEXT 62 0 x', 'gpgv-refused'],
  ])('refuses a status with %s, even beside a good one [F039]', (line, reason) => {
    expect(readStatus(status(GOOD, VALID, `[GNUPG:] ${line}`), A)).toMatchObject({ reason });
  });

  it.each([
    ['nothing', ''],
    ['no VALIDSIG', status(GOOD)],
    ['no GOODSIG', status(VALID)],
    ['two good signatures', status(GOOD, VALID, GOOD, VALID)],
    ['two VALIDSIG', status(GOOD, VALID, VALID)],
    ['the primary key of somebody else', status(GOOD, valid(`8 00 ${other}`))],
    ['SHA-1', status(GOOD, valid(`2 00 ${A}`))],
    ['a text signature', status(GOOD, valid(`8 01 ${A}`))],
    ['a version 3 signature', status(GOOD, VALID.replace(' 4 0 22', ' 3 0 22'))],
    ['an unfinished last line', status(GOOD) + VALID],
    ['a line without the prefix', status('hello', GOOD, VALID)],
    ['the prefix in the middle of a line', status(`x ${GOOD}`, VALID)],
    ['an empty line', status('', GOOD, VALID)],
    ['an escape sequence', status(GOOD.replace('NAU', '\u001b[2J'), VALID)],
    ['a carriage return that hides a line', status(`[GNUPG:] NOTATION_DATA x\r${GOOD}`, VALID)],
  ])('refuses a status with %s [F039]', (_, text) => {
    expect(readStatus(text, A)).toBeDefined();
  });
});

describe('verifyWithGpgv', () => {
  it('accepts a good signature and leaves no file behind [F040]', async () => {
    await using directory = await scratch();
    expect(await verifyWithGpgv(bytes, packet, key, depsIn(directory.path))).toBeUndefined();
    expect(await readdir(directory.path)).toEqual([]);
  });

  it('refuses the signature for other bytes [F039]', async () => {
    await using directory = await scratch();
    const tampered = { bytes: await fixture('manifest-tampered.json') };
    expect(await verifyWithGpgv(tampered, packet, key, depsIn(directory.path))).toMatchObject({
      reason: 'bad-signature',
    });
  });

  it('does not find a key that is not in its keyring [F039]', async () => {
    await using directory = await scratch();
    const attacker = await certificate('attacker-same-uid.gpg');
    expect(await verifyWithGpgv(bytes, packet, attacker, depsIn(directory.path))).toMatchObject({
      reason: 'unknown-key',
    });
  });

  async function judged(script: string, limit?: number) {
    await using directory = await scratch();
    const gpgv = join(directory.path, 'stub');
    await writeFile(gpgv, `#!/bin/sh\n${script}\n`);
    await chmod(gpgv, 0o755);
    const limited: Run = (command, options) =>
      run(command, limit === undefined ? options : { ...options, timeout: limit });
    const verdicts = await judgeBlock(document, asc, 1, [key], {
      ...depsIn(directory.path),
      gpgv,
      run: limited,
    });
    return tooFewSigners('manifest', verdicts, 1);
  }

  it('refuses when gpgv dies of a signal, though openpgp.js accepts [F046] [S3.48]', async () => {
    const error = await judged(`echo '${GOOD}'; echo '${VALID}'; kill -ABRT $$`);
    expect(error).toMatchObject({ code: 'TRUST_VERIFIER', message: expect.stringContaining('SIGABRT') as string });
  });

  it('refuses when gpgv hangs, and kills it [F047]', async () => {
    const error = await judged(`echo '${GOOD}'; echo '${VALID}'; exec sleep 600`, 100);
    expect(error).toMatchObject({ code: 'TRUST_VERIFIER', message: expect.stringContaining('in time') as string });
  });

  it('gives gpgv ten seconds [F047]', async () => {
    await using directory = await scratch();
    const limits: (number | undefined)[] = [];
    const noting: Run = (command, options) => {
      limits.push(options?.timeout);
      return run(command, options);
    };
    await verifyWithGpgv(bytes, packet, key, { ...depsIn(directory.path), run: noting });
    expect(limits).toEqual([10_000]);
  });

  it('refuses when gpgv is missing, and says how to get it [F046]', async () => {
    await using directory = await scratch();
    const deps = { ...depsIn(directory.path), gpgv: '/nonexistent/gpgv' };
    const error = tooFewSigners('manifest', await judgeBlock(document, asc, 1, [key], deps), 1);
    expect(error).toMatchObject({ code: 'TRUST_VERIFIER', exit: 5 });
    expect(error.remedy).toContain('apt install --reinstall gpgv');
  });

  it('refuses a good status from a gpgv that ended with an error [F046]', async () => {
    const error = await judged(`echo '${GOOD}'; echo '${VALID}'; exit 2`);
    expect(error).toMatchObject({
      code: 'TRUST_BAD_SIGNATURE',
      message: expect.stringContaining('status 2') as string,
    });
  });

  it('refuses a flood of status lines [F046]', async () => {
    const error = await judged(`yes '[GNUPG:] NEWSIG' | head -c 1000000; echo '${GOOD}'; echo '${VALID}'`);
    expect(error.message).toContain('gpgv-refused');
  });
});
