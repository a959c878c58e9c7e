import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeBlock } from '../../../src/trust/verify.ts';
import { signersOf } from '../../../src/trust/verdict.ts';
import { certificates, depsIn, expectations, fixture, scratch } from './support.ts';
import type { Expectation, Scratch } from './support.ts';

const rows = await expectations();
const trusted = await certificates('all-trusted-for-test.gpg');

/** What the number of distinct good signers says where `threshold` of them are required. */
function verdictAt(threshold: number, signers: number): 'accept' | 'reject' {
  return signers >= threshold ? 'accept' : 'reject';
}

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

  it.each(rows.filter((row) => row.expect === 'reject'))('refuses $file: $note [F039] [F041]', async (row) => {
    expect(await signersOfRow(row)).toBe(0);
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
