import { describe, expect, it } from 'vitest';
import { conclude, exitOf, type Over } from '../../../src/machine/conclude.ts';
import type { MachineContext } from '../../../src/machine/context.ts';
import type { Ledger } from '../../../src/machine/ledger.ts';
import type { Entry } from '../../../src/machine/record.ts';
import type { Action, Failure, Outcome, Transaction } from '../../../src/machine/state.ts';
import { recordsOf, v } from './support.ts';

const failed = (code: Failure['code']): Failure => ({ code, message: 'because', remedy: 'look' });

interface Row {
  readonly exit: number;
  readonly action: Action;
  readonly outcome: Outcome;
  readonly code?: Failure['code'];
}

describe('a command that followed a transaction', () => {
  const rows: readonly Row[] = [
    { exit: 0, action: 'upgrade', outcome: 'committed' },
    { exit: 75, action: 'upgrade', outcome: 'unchanged', code: 'DISK_FULL' },
    { exit: 5, action: 'upgrade', outcome: 'unchanged', code: 'TRUST_DIGEST' },
    { exit: 1, action: 'upgrade', outcome: 'unchanged', code: 'GATE_BINARY' },
    { exit: 0, action: 'upgrade', outcome: 'unchanged', code: 'HOST_NODE_STOPPED' },
    { exit: 1, action: 'rollback', outcome: 'unchanged', code: 'HOST_NODE_STOPPED' },
    { exit: 1, action: 'upgrade', outcome: 'unchanged' },
    { exit: 3, action: 'upgrade', outcome: 'rolled-back', code: 'GATE_PROBE' },
    { exit: 3, action: 'rollback', outcome: 'rolled-back', code: 'GATE_PROBE' },
    { exit: 75, action: 'backup', outcome: 'rolled-back', code: 'DISK_FULL' },
    { exit: 4, action: 'upgrade', outcome: 'rollback-failed', code: 'GATE_OLD' },
    { exit: 1, action: 'upgrade', outcome: 'stopped-by-operator' },
    { exit: 0, action: 'drill', outcome: 'rolled-back', code: 'GATE_EXITED' },
    { exit: 1, action: 'drill', outcome: 'rolled-back', code: 'GATE_DRILL' },
    { exit: 1, action: 'drill', outcome: 'rolled-back', code: 'ACTIVATE_INTERRUPTED' },
  ];
  const named = rows.map((row) => ({
    ...row,
    name: `${row.action}, ${row.outcome}${row.code === undefined ? '' : `, ${row.code}`}`,
  }));
  it.each(named)('ends with $exit after: $name', ({ exit, action, outcome, code }) => {
    expect(exitOf(outcome, code === undefined ? undefined : failed(code), action)).toBe(exit);
  });
});

describe('what the ledger says at the end of a transaction', () => {
  const upgrade: Transaction = { id: 't1', action: 'upgrade', from: v('1'), to: v('2') };
  const soaking: readonly Entry[] = [
    { kind: 'intent', tx: 't1', state: 'activate' },
    { kind: 'intent', tx: 't1', state: 'soak' },
  ];

  async function written(transaction: Transaction, left: Partial<Over> & Pick<Over, 'state'>): Promise<Entry> {
    const appended: Entry[] = [];
    const records = recordsOf([{ kind: 'opened', transaction }, ...soaking]);
    const ledger = { records, append: (entry: Entry) => Promise.resolve(void appended.push(entry)) };
    const nothing = () => Promise.resolve();
    const context = { files: { remove: nothing }, layout: {}, log: { milestone: nothing }, settings: { node: 'demo' } };
    const over = { failure: undefined, asked: undefined, ...left };
    await conclude(transaction, over, ledger as unknown as Ledger, context as unknown as MachineContext);
    return appended[0] ?? expect.unreachable('nothing was written');
  }

  const asked = { schema: 1, kind: 'rollback', id: 'r', asked: 0, bootId: '' } as const;

  it('puts a version in quarantine from which its operator went back during the soak, and blames nothing else', async () => {
    const entry = await written(upgrade, { state: 'rolled-back', asked });
    expect(entry).toMatchObject({ outcome: 'rolled-back', quarantine: { version: '2', cause: 'operator' } });
    expect(entry).not.toHaveProperty('failure');
  });

  it('puts the version that a rollback came from in quarantine, and after an upgrade none', async () => {
    const back: Transaction = { id: 't1', action: 'rollback', from: v('2'), to: v('1') };
    const entry = await written(back, { state: 'committed' });
    expect(entry).toMatchObject({ outcome: 'committed', quarantine: { version: '2', cause: 'operator' } });
    expect(await written(upgrade, { state: 'committed' })).not.toHaveProperty('quarantine');
  });

  it('names an interruption where the transaction recorded no cause, and forgives the first one', async () => {
    const entry = await written(upgrade, { state: 'rolled-back' });
    expect(entry).toMatchObject({ failure: { code: 'ACTIVATE_INTERRUPTED' } });
    expect(entry).not.toHaveProperty('quarantine');
  });
});
