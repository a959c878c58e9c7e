import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeBlock } from '../../../src/trust/verify.ts';
import { signersOf, tooFewSigners } from '../../../src/trust/verdict.ts';
import type { RefusalReason } from '../../../src/trust/verdict.ts';
import { certificates, CODE_OF_ROW, depsIn, expectations, fixture, scratch } from './support.ts';
import type { Expectation, Scratch } from './support.ts';

const rows = await expectations();
const trusted = await certificates('all-trusted-for-test.gpg');

/** What the number of distinct good signers says where `threshold` of them are required. */
function verdictAt(threshold: number, signers: number): 'accept' | 'reject' {
  return signers >= threshold ? 'accept' : 'reject';
}

/** The word by which the operator finds what was wrong; the verdict alone could come from the wrong check. */
const REASONS: Readonly<Record<string, RefusalReason>> = {
  '20-corrupt-s.asc': 'bad-signature',
  '24-key-expired-at-sign.asc': 'key-expired',
  '28-revoked-subkey.asc': 'key-revoked',
  '29-sig-expired.asc': 'signature-expired',
  '30-sig-future.asc': 'signature-from-future',
  '31-sig-before-key.asc': 'signature-older-than-key',
  '33-md5.asc': 'weak-hash',
  '34-sha1-ed25519.asc': 'weak-hash',
  '35-rsa1024.asc': 'weak-key',
  '37-v3-sha256.asc': 'structure',
  '46-standalone.asc': 'structure',
  '47-timestamp.asc': 'structure',
  '48-certification-as-document.asc': 'structure',
  '49-encryption-subkey.asc': 'key-unusable',
  '51-certify-only-primary.asc': 'key-unusable',
  '54-unknown-hash.asc': 'weak-hash',
  '61-cleartext-as-detached.asc': 'structure',
};

describe('the signature corpus', () => {
  let directory: Scratch;
  beforeAll(async () => {
    directory = await scratch();
  });
  afterAll(async () => {
    await directory[Symbol.asyncDispose]();
  });

  async function signersOfRow(row: Expectation): Promise<number> {
    const document = await fixture(row.document ?? 'manifest.json');
    const asc = await fixture(`sigs/${row.file}`);
    return signersOf(await judgeBlock(document, asc, 16, trusted, depsIn(directory.path))).length;
  }

  it('has rows of each verdict', () => {
    expect(new Set(rows.map((row) => row.expect))).toEqual(new Set(['accept', 'reject', 'either']));
    expect(trusted.length).toBeGreaterThan(10);
  });

  it.each(rows.filter((row) => row.expect === 'reject'))('refuses $file: $note [F039] [F041] [P55]', async (row) => {
    expect(await signersOfRow(row)).toBe(0);
  });

  it.each(rows.filter((row) => row.expect === 'reject'))('tells of $file by its own code [F039]', async (row) => {
    const document = await fixture(row.document ?? 'manifest.json');
    const verdicts = await judgeBlock(document, await fixture(`sigs/${row.file}`), 16, trusted, depsIn(directory.path));
    expect(tooFewSigners('manifest', verdicts, 1).code).toBe(CODE_OF_ROW[row.file]);
  });

  it.each(Object.entries(REASONS))('refuses %s for the reason %s [F039]', async (file, reason) => {
    const asc = await fixture(`sigs/${file}`);
    const verdicts = await judgeBlock(await fixture('manifest.json'), asc, 16, trusted, depsIn(directory.path));
    expect(verdicts).toMatchObject([{ accepted: false, refusal: { reason } }]);
  });

  it.each(rows.filter((row) => row.expect === 'accept'))('accepts $file: $note [F040] [F041]', async (row) => {
    const signers = await signersOfRow(row);
    expect(verdictAt(1, signers)).toBe('accept');
    expect(verdictAt(2, signers)).toBe(row.need2);
  });

  it.each(rows.filter((row) => row.expect === 'either'))('comes to a verdict about $file: $note', async (row) => {
    const signers = await signersOfRow(row);
    if (row.need2 === 'reject') expect(verdictAt(2, signers)).toBe('reject');
    else expect(signers).toBeLessThanOrEqual(1);
  });
});
