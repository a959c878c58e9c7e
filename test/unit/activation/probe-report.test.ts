import { appendFile, mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followReport } from '../../../src/activation/probe-report.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'report-'));
  path = join(directory, 'report.jsonl');
});
afterEach(() => rm(directory, { recursive: true }));

const round = (n: number, ...failures: string[]) => ({ id: 'i', kind: 'round', round: n, at: '1', failures });
const lineOf = (value: object) => `${JSON.stringify(value)}\n`;

/** Whoever reads these bytes again finds no report. */
async function spoil(bytes: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write('x'.repeat(bytes), 0);
}

describe('the report of the probe room', () => {
  it('is read on from where the last look has ended, and what was read is not read again', async () => {
    const look = followReport(path, 'i');
    expect(await look()).toEqual([]);
    await writeFile(path, lineOf(round(1)) + lineOf(round(2, 'tcp')));
    expect(await look()).toEqual([round(1), round(2, 'tcp')]);
    await spoil(20);
    expect(await look()).toEqual([]);
    await appendFile(path, lineOf(round(3)));
    expect(await look()).toEqual([round(3)]);
  });

  it('is read up to its last whole line; the rest of a line, and of a letter, comes with the next look', async () => {
    const look = followReport(path, 'i');
    const bytes = Buffer.from(lineOf(round(1)) + lineOf(round(2, 'ü')));
    const inTheLetter = bytes.indexOf('ü') + 1;
    await writeFile(path, bytes.subarray(0, inTheLetter));
    expect(await look()).toEqual([round(1)]);
    await appendFile(path, bytes.subarray(inTheLetter));
    expect(await look()).toEqual([round(2, 'ü')]);
  });

  it('holds nothing of another order', async () => {
    await writeFile(path, lineOf({ ...round(1), id: 'another' }) + lineOf(round(2)));
    expect(await followReport(path, 'i')()).toEqual([round(2)]);
  });

  it.each(['no report\n', 'null\n', '{"id":1}\n'])('is refused where a line is %j', async (text) => {
    await writeFile(path, text);
    await expect(followReport(path, 'i')()).rejects.toMatchObject({ code: 'HOST_PROBE_ROOM' });
  });

  it('is refused unread when it is larger than any sane one', async () => {
    await writeFile(path, '');
    await truncate(path, 16 * 1024 * 1024 + 1);
    await expect(followReport(path, 'i')()).rejects.toMatchObject({ code: 'HOST_PROBE_ROOM' });
  });
});
