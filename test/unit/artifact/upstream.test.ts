/** Archives from the test suites of other tar readers (test/fixtures/tar-upstream, with their licences). */
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { inventoryOf } from '../../../src/artifact/headers.ts';
import { refusalOf } from './refusal-of.ts';

const fixtures = new URL('../../fixtures/tar-upstream/', import.meta.url).pathname;
const rows = JSON.parse(await readFile(`${fixtures}EXPECT.json`, 'utf8')) as { file: string; expect: string }[];
const MOST = { entries: 10_000, unpackedSize: 2 ** 40 };

describe('archives from elsewhere', () => {
  it.each(rows.filter(({ expect }) => expect !== 'accept'))('refuses $file with $expect [F048]', async (row) => {
    expect(await refusalOf(fixtures + row.file, MOST)).toBe(row.expect);
  });

  it.each(rows.filter(({ expect }) => expect === 'accept'))('reads $file as GNU tar does [F049]', async ({ file }) => {
    const ours = (await inventoryOf(fixtures + file, MOST)).items.map(({ path }) => path);
    const listing = execFileSync('tar', ['-tf', fixtures + file, '--quoting-style=literal'], { encoding: 'utf8' });
    const theirs = listing.split('\n').slice(0, -1);
    expect(ours).toEqual(theirs.map((name) => name.replace(/^\.(\/|$)/, '').replace(/\/$/, '')));
  });
});
