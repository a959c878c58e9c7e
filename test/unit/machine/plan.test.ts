import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/errors.ts';
import { committedBefore, committedVersions, dataOf, refusalOf } from '../../../src/machine/plan.ts';
import type { Decision, Gate } from '../../../src/policy/decide.ts';
import type { NodeName } from '../../../src/release.ts';
import type { Transaction } from '../../../src/machine/state.ts';
import { recordsOf, v } from './support.ts';

const NODE = 'demo' as NodeName;
const quarantine: Gate = { gate: 'quarantine', passed: false, message: '2.0.0 failed here: it crashed' };
const newer: Gate = { gate: 'newer', passed: false, message: '2.0.0 is not newer than 2.0.1, which runs' };
const offered: Gate = { gate: 'offered', passed: false, message: '2.0.0 was withdrawn by its publisher' };

function decision(refused: readonly Gate[], known: 'known' | 'unknown' = 'known'): Decision {
  const release = { version: v('2.0.0') } as Decision['release'];
  const gates = refused;
  return { gates, refused, install: false, artifact: undefined, release: known === 'known' ? release : undefined };
}

describe('#refusalOf', () => {
  it('is nothing when no gate refuses a person', () => {
    expect(refusalOf(decision([]), NODE)).toBeUndefined();
  });

  it('tells of a quarantine why, ends with 1, and gives the command that overrules it', () => {
    const refusal = refusalOf(decision([quarantine]), NODE);
    expect(refusal).toMatchObject({ code: 'POLICY_QUARANTINED', exit: EXIT.failed });
    expect(refusal?.message).toBe('The upgrade is refused: 2.0.0 failed here: it crashed');
    expect(refusal?.remedy).toContain('sudo node-updater upgrade demo --to 2.0.0 --force quarantine');
  });

  it('gives one command that overrules all that blocks', () => {
    expect(refusalOf(decision([newer, quarantine]), NODE)?.remedy).toContain(
      '--to 2.0.0 --force downgrade --force quarantine',
    );
  });

  it('promises no way around what nothing overrules', () => {
    const refusal = refusalOf(decision([offered], 'unknown'), NODE);
    expect(refusal).toMatchObject({ code: 'POLICY_NO_TARGET', exit: EXIT.failed });
    expect(refusal?.remedy).not.toContain('--force');
    expect(refusalOf(decision([offered, quarantine]), NODE)?.remedy).not.toContain('--force');
  });
});

function did(id: string, action: Transaction['action'], from: string, to: string, more: Partial<Transaction> = {}) {
  return [
    { kind: 'opened' as const, transaction: { id, action, from: v(from), to: v(to), ...more } },
    { kind: 'ended' as const, tx: id, outcome: 'committed' as const },
  ];
}

describe('#committedVersions', () => {
  it('has each version once, the one that was committed last first', () => {
    const records = recordsOf([
      ...did('a', 'upgrade', '1.0.0', '2.0.0'),
      ...did('b', 'upgrade', '2.0.0', '3.0.0'),
      { kind: 'opened', transaction: { id: 'c', action: 'upgrade', from: v('3.0.0'), to: v('4.0.0') } },
      { kind: 'ended', tx: 'c', outcome: 'rolled-back' },
      ...did('d', 'rollback', '3.0.0', '2.0.0'),
    ]);
    expect(committedVersions({ records })).toEqual(['2.0.0', '3.0.0']);
  });
});

describe('#dataOf', () => {
  it('is what the release said when it was taken last; what was done since says nothing of it', () => {
    const data = (epoch: number) => ({ data: { epoch, rollback: 'safe' as const } });
    const records = recordsOf([
      ...did('a', 'upgrade', '1.0.0', '2.0.0', data(1)),
      ...did('b', 'upgrade', '2.0.0', '3.0.0', data(2)),
      ...did('c', 'backup', '3.0.0', '3.0.0'),
    ]);
    expect(dataOf(v('3.0.0'), { records })).toMatchObject({ epoch: 2 });
    expect(dataOf(v('1.0.0'), { records })).toBeUndefined();
  });
});

describe('#committedBefore', () => {
  it('is the version that this one replaced, whatever was done to its data since', () => {
    const records = recordsOf([...did('a', 'upgrade', '1.0.0', '2.0.0'), ...did('b', 'backup', '2.0.0', '2.0.0')]);
    expect(committedBefore(v('2.0.0'), { records })).toBe('1.0.0');
  });
});
