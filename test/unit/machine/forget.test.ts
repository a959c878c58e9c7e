import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { viewLedger } from '../../../src/cli/ledger-view.ts';
import { UpdaterError } from '../../../src/errors.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { forgetOld, shortened } from '../../../src/machine/forget.ts';
import { openLedger, parseLedger, readLedger } from '../../../src/machine/ledger.ts';
import { committedBefore, committedVersions, dataOf } from '../../../src/machine/plan.ts';
import { findOpen, quarantined, quarantineFor, type OpenTransaction } from '../../../src/machine/recover.ts';
import type { Entry, LedgerRecord } from '../../../src/machine/record.ts';
import type { Transaction } from '../../../src/machine/state.ts';
import { silentLog } from '../cli/ledger.ts';
import { recordsOf, stillClock, v } from './support.ts';

const files = durableFiles(run);
const VERSIONS = ['1.0.0', '2.0.0', '3.0.0', '4.0.0'].map(v);
const PATH = '/l';

type Step = 'committed' | 'failed' | 'interrupted' | 'unchanged' | 'backup' | 'nothing to do' | 'lifted';

/** A node's life: each step as the ledger tells it, of a host whose current version is the one that was committed last. */
function life(steps: readonly { readonly step: Step; readonly version: number }[], ending: readonly Entry[] = []) {
  let current: Transaction['from'];
  const entries = steps.flatMap(({ step, version }, n): Entry[] => {
    const to = VERSIONS[version] ?? v('1.0.0');
    const id = `t${n}`;
    if (step === 'nothing to do') return [{ kind: 'answer', request: id, exit: 0, message: 'Nothing to do' }];
    if (step === 'lifted') return [{ kind: 'lifted', version: to, request: id }];
    const aim = step === 'backup' ? (current ?? to) : to;
    const transaction: Transaction = {
      ...{ id, action: step === 'backup' ? 'backup' : 'upgrade', to: aim },
      ...(current === undefined ? {} : { from: current }),
      ...(n % 3 === 0 ? { data: { epoch: n, rollback: 'safe' as const } } : {}),
    };
    const failure = { code: step === 'interrupted' ? ('ACTIVATE_INTERRUPTED' as const) : ('GATE_EXITED' as const) };
    const told = { ...failure, message: `${step} ${n}`, remedy: '' };
    const good = step === 'committed' || step === 'backup';
    if (good) current = aim;
    const outcome = good ? 'committed' : step === 'unchanged' ? 'unchanged' : 'rolled-back';
    return [
      { kind: 'opened', transaction },
      { kind: 'intent', tx: id, state: 'preflight' },
      {
        ...{ kind: 'ended', tx: id, outcome, ...(good ? {} : { failure: told }) },
        ...(step === 'failed' ? { quarantine: { version: aim, cause: 'gate', message: told.message } } : {}),
      },
    ];
  });
  return chained([...entries, ...ending]);
}

function chained(entries: readonly Entry[]): Buffer {
  let prev = '0'.repeat(64);
  const lines = recordsOf(entries).map((record) => {
    const line = JSON.stringify({ ...record, prev });
    prev = createHash('sha256').update(line).digest('hex');
    return `${line}\n`;
  });
  return Buffer.from(lines.join(''));
}

const anyLife = fc.array(
  fc.record({
    step: fc.constantFrom<Step>(
      ...(['committed', 'failed', 'interrupted', 'unchanged', 'backup', 'nothing to do', 'lifted'] as const),
    ),
    version: fc.nat(3),
  }),
  { maxLength: 80 },
);

/** All that is ever looked for in a ledger. */
function answers(records: readonly LedgerRecord[]) {
  const onProbation = (version: (typeof VERSIONS)[number]) =>
    ({ transaction: { to: version }, visited: new Set(['activate']) }) as unknown as OpenTransaction;
  return {
    open: findOpen(records)?.transaction.id,
    quarantined: [...quarantined(records).values()].toSorted((a, b) => a.version.localeCompare(b.version)),
    committed: committedVersions({ records }),
    ofEach: VERSIONS.map((version) => ({
      before: committedBefore(version, { records }),
      data: dataOf(version, { records }),
      interrupted: quarantineFor(onProbation(version), records),
    })),
  };
}

describe('a ledger that forgets', () => {
  it('answers as before whatever is looked for, and after it has forgotten again', () => {
    fc.assert(
      fc.property(anyLife, fc.integer({ min: 1, max: 60 }), (steps, recent) => {
        const bytes = life(steps);
        const whole = answers(parseLedger(bytes, PATH).records);
        const once = shortened(bytes, PATH, recent);
        expect(answers(parseLedger(once, PATH).records)).toEqual(whole);
        const twice = shortened(once, PATH, Math.ceil(recent / 2));
        expect(answers(parseLedger(twice, PATH).records)).toEqual(whole);
      }),
      { numRuns: 400 },
    );
  });

  it('keeps all of the transaction that is open, however long ago it began', () => {
    const transaction: Transaction = { id: 'open', action: 'upgrade', from: v('1.0.0'), to: v('2.0.0') };
    const soaks = Array.from({ length: 30 }, (): Entry => ({ kind: 'intent', tx: 'open', state: 'soak' }));
    const bytes = life([{ step: 'committed', version: 0 }], [{ kind: 'opened', transaction }, ...soaks]);
    const { records } = parseLedger(shortened(bytes, PATH, 5), PATH);
    expect(findOpen(records)).toEqual(findOpen(parseLedger(bytes, PATH).records));
    expect(records.filter(({ entry }) => entry.kind === 'intent' && entry.tx === 'open').length).toBe(30);
  });

  it('numbers and chains its records as before', () => {
    const bytes = life(Array.from({ length: 40 }, () => ({ step: 'nothing to do', version: 0 }) as const));
    const before = parseLedger(bytes, PATH);
    const after = parseLedger(shortened(bytes, PATH, 7), PATH);
    expect(after).toMatchObject({ n: before.n, last: before.last, lines: 8, torn: false });
    expect(after.records.map(({ n }) => n)).toEqual([34, 35, 36, 37, 38, 39, 40]);
  });
});

describe('on the disk', () => {
  let directory: string;
  let path: string;
  const answered = (count: number) =>
    life(Array.from({ length: count }, () => ({ step: 'nothing to do', version: 0 })));
  const said: string[] = [];
  const log = { ...silentLog(), info: (text: string) => said.push(text), warn: (text: string) => said.push(text) };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'forget-'));
    path = join(directory, 'ledger.jsonl');
    said.length = 0;
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('a ledger of years becomes short, and goes on', async () => {
    await writeFile(path, answered(6000));
    await forgetOld(path, files, log);
    expect(said).toEqual([expect.stringMatching(/had 1\d{6} bytes: .* was forgotten, \d{6} are left/)]);
    const ledger = await openLedger(path, files, stillClock());
    await ledger.append({ kind: 'answer', request: 'next', exit: 0, message: '' });
    const { records, n } = await readLedger(path);
    expect({ n, first: records[0]?.n, last: records.at(-1)?.n }).toEqual({ n: 6001, first: 5001, last: 6001 });
  });

  it('one that is short, or that is needed for the most part, stays as it is', async () => {
    const needed = life(Array.from({ length: 3000 }, (_, n) => ({ step: 'committed', version: n % 4 }) as const));
    for (const bytes of [answered(100), needed, Buffer.alloc(0)]) {
      await writeFile(path, bytes);
      await forgetOld(path, files, log);
      expect(await readFile(path)).toEqual(bytes);
    }
    await rm(path);
    await forgetOld(path, files, log);
    expect(said).toEqual([]);
  });

  it('a disk that does not take it leaves the ledger as it is, and the run goes on', async () => {
    const bytes = answered(6000);
    await writeFile(path, bytes);
    const full = new UpdaterError('DISK_FULL', 'no space', { remedy: '' });
    await forgetOld(path, { replace: () => Promise.reject(full) }, log);
    expect(said).toEqual([expect.stringContaining('could not be written anew: no space')]);
    expect(await readFile(path)).toEqual(bytes);
  });

  it('damage is refused before it and after it, and what can be read is shown', async () => {
    const bytes = answered(6000);
    const damaged = Buffer.concat([bytes.subarray(0, 5000), Buffer.from('x'), bytes.subarray(5001)]);
    await writeFile(path, damaged);
    await expect(forgetOld(path, files, log)).rejects.toMatchObject({ code: 'HOST_LEDGER' });
    expect(await readFile(path)).toEqual(damaged);

    const needed = life([
      { step: 'committed', version: 0 },
      ...Array.from({ length: 30 }, () => ({ step: 'nothing to do', version: 0 }) as const),
    ]);
    const short = shortened(needed, PATH, 5).toString();
    for (const wrong of [short.replace('"to":"1.0.0"', '"to":"9.0.0"'), short.replace('"v":1', '"v":2')]) {
      expect(wrong).not.toBe(short);
      await writeFile(path, wrong);
      await expect(readLedger(path)).rejects.toMatchObject({ code: 'HOST_LEDGER' });
    }
    await writeFile(
      path,
      short.replace(/"Nothing to do"(?=[^\n]*\n$)/, '1').replace(/"prev":"..(?=[^\n]*\n$)/, '"prev":"zz'),
    );
    // The three of the commit, which the head keeps, and four of five answers.
    expect((await viewLedger(path)).records.length).toBe(7);
  });
});
