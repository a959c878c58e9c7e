import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { viewLedger } from '../../../src/cli/ledger-view.ts';
import { UpdaterError } from '../../../src/errors.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { openLedger, parseLedger, readLedger } from '../../../src/machine/ledger.ts';
import type { Entry } from '../../../src/machine/record.ts';
import { stillClock } from './support.ts';

const files = durableFiles(run);
const entry = (request: string): Entry => ({ kind: 'answer', request, exit: 0, message: 'Nothing to do' });
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ledger-'));
  path = join(directory, 'ledger.jsonl');
});
afterEach(() => rm(directory, { recursive: true }));

async function written(count: number): Promise<void> {
  const ledger = await openLedger(path, files, stillClock());
  for (let i = 1; i <= count; i++) await ledger.append(entry(String(i)));
}

describe('the ledger', () => {
  it('is empty when there is no file yet', async () => {
    expect((await readLedger(path)).records).toEqual([]);
  });

  it('says at once that a directory, a link or a FIFO in its place is none, and waits for nobody', async () => {
    await writeFile(`${path}.other`, '');
    const makers: (() => Promise<unknown>)[] = [
      () => mkdir(path),
      () => symlink(`${path}.other`, path),
      () => run(['mkfifo', path], { timeout: 5000 }),
    ];
    for (const make of makers) {
      await make();
      await expect(readLedger(path)).rejects.toMatchObject({ code: 'HOST_LEDGER' });
      expect((await viewLedger(path)).damage).toMatchObject({ code: 'HOST_LEDGER' });
      await rm(path, { recursive: true });
    }
  });

  it('reads back what was appended, across openings, each record chained to the one before', async () => {
    await written(2);
    const again = await openLedger(path, files, stillClock());
    await again.append(entry('3'));
    const { records, torn } = await readLedger(path);
    expect(records.map((record) => record.entry)).toEqual([entry('1'), entry('2'), entry('3')]);
    expect(records.map((record) => record.n)).toEqual([1, 2, 3]);
    expect(torn).toBe(false);
  });

  it('drops a torn last record wherever the cut was, keeps all before it, and goes on from there [F075]', async () => {
    await written(3);
    const whole = await readFile(path);
    const lastLine = whole.subarray(0, -1).lastIndexOf(0x0a) + 1;
    for (let cut = lastLine; cut < whole.length; cut++) {
      await writeFile(path, whole.subarray(0, cut));
      const ledger = await openLedger(path, files, stillClock());
      expect(ledger.records.length).toBe(2);
      await ledger.append(entry('new'));
      expect((await readLedger(path)).records.at(-1)?.entry).toEqual(entry('new'));
    }
  });

  it('drops the zeros that a power cut leaves at the end [F075]', async () => {
    await written(2);
    await appendFile(path, Buffer.alloc(512));
    const ledger = await openLedger(path, files, stillClock());
    await ledger.append(entry('3'));
    expect((await readLedger(path)).records.length).toBe(3);
  });

  it('refuses any change of a byte before the last record, and changes nothing itself [F075] [F076]', async () => {
    await written(4);
    const whole = await readFile(path);
    const beforeLast = whole.subarray(0, -1).lastIndexOf(0x0a);
    await fc.assert(
      fc.asyncProperty(fc.nat(beforeLast - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const bad = Buffer.from(whole);
        bad[at] = (bad[at] ?? 0) ^ flip;
        await writeFile(path, bad);
        await expect(openLedger(path, files, stillClock())).rejects.toMatchObject({ code: 'HOST_LEDGER' });
        expect(await readFile(path)).toEqual(bad);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses a last record whose line is whole but does not continue the chain [F076]', async () => {
    await written(2);
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    await writeFile(path, `${lines[0] ?? ''}\n${(lines[1] ?? '').replace(/"prev":"./, '"prev":"x')}\n`);
    await expect(readLedger(path)).rejects.toMatchObject({ code: 'HOST_LEDGER' });
  });

  it('refuses the format of a newer node-updater, even in the last record [F077]', () => {
    const line = JSON.stringify({ v: 2, n: 1, prev: '0'.repeat(64), entry: { kind: 'opened' } });
    expect(() => parseLedger(Buffer.from(`${line}\n`), 'l')).toThrow(/newer node-updater/);
  });

  it('cuts half a line away when an append fails, so that the next record stands alone', async () => {
    await written(1);
    let fail = true;
    const failing = {
      ...files,
      append: async (target: string, text: string, mode: number) => {
        if (!fail) return files.append(target, text, mode);
        await appendFile(target, text.slice(0, 20));
        throw new Error('disk full');
      },
    };
    const ledger = await openLedger(path, failing, stillClock());
    await expect(ledger.append(entry('2'))).rejects.toThrow('disk full');
    fail = false;
    await ledger.append(entry('3'));
    expect((await readLedger(path)).records.map((record) => record.entry)).toEqual([entry('1'), entry('3')]);
  });

  it('names the disk as the cause where a record can neither be written nor cut back, and goes on later [F062]', async () => {
    await written(1);
    let readOnly = true;
    const refuse = () => Promise.reject(new UpdaterError('DISK_READ_ONLY', 'Cannot write', { remedy: '' }));
    const failing = {
      ...files,
      append: (...args: Parameters<typeof files.append>) => (readOnly ? refuse() : files.append(...args)),
      truncate: (...args: Parameters<typeof files.truncate>) => (readOnly ? refuse() : files.truncate(...args)),
    };
    const ledger = await openLedger(path, failing, stillClock());
    await expect(ledger.append(entry('2'))).rejects.toMatchObject({
      code: 'DISK_READ_ONLY',
      message: expect.stringContaining('neither be written nor cut back') as string,
    });
    readOnly = false;
    await ledger.append(entry('3'));
    expect((await readLedger(path)).records.map((record) => record.entry)).toEqual([entry('1'), entry('3')]);
  });

  it('says in the remedy for damage what goes with the file: history, quarantines, what a rollback goes back to', () => {
    const parse = () => parseLedger(Buffer.from('nonsense\n{}\n'), '/l');
    expect(parse).toThrow(
      expect.objectContaining({
        code: 'HOST_LEDGER',
        remedy: expect.stringMatching(/mv \/l \/l\.damaged.*history.*quarantines.*rollback/) as string,
      }),
    );
  });
});
