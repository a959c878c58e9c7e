import { describe, expect, it } from 'vitest';
import { announce, describeEnding } from '../../../src/machine/announce.ts';
import type { MachineContext } from '../../../src/machine/context.ts';
import type { Failure, Outcome, Transaction } from '../../../src/machine/state.ts';
import { v } from './support.ts';

const upgrade: Transaction = { id: 't', action: 'upgrade', from: v('1'), to: v('2') };
const install: Transaction = { id: 't', action: 'install', to: v('2') };
const failure: Failure = { code: 'GATE_EXITED', message: 'demo.service exited once', remedy: 'look' };
const bad = { version: v('2'), cause: 'gate', message: failure.message } as const;

const say = (transaction: Transaction, outcome: Outcome, what: 'failed' | 'well' = 'failed') =>
  describeEnding({
    transaction,
    outcome,
    failure: what === 'failed' ? failure : undefined,
    quarantine: what === 'failed' && outcome === 'rolled-back' ? bad : undefined,
  });

describe('#describeEnding', () => {
  it('says what runs now, why, and what becomes of the version that failed', () => {
    expect(say(upgrade, 'rolled-back')).toBe(
      'The node was put back to 1 from 2: demo.service exited once. 2 is in quarantine: it is not tried again by itself.',
    );
  });

  it('does not speak of a version before where there was none', () => {
    expect(say(install, 'rolled-back')).toMatch(/^2 was removed again: demo/);
    expect(say(install, 'rollback-failed')).toMatch(/^2 could not be removed again: .* A person is needed\.$/);
    expect(say(install, 'committed', 'well')).toBe('2 is committed.');
  });

  it('calls for a person where the version before is not healthy either', () => {
    expect(say(upgrade, 'rollback-failed')).toMatch(/put back to 1 from 2: .* A person is needed\.$/);
  });
});

describe('the line in the journal', () => {
  const written = async (transaction: Transaction) => {
    const lines: string[] = [];
    const log = { milestone: (_id: string, message: string) => Promise.resolve(void lines.push(message)) };
    const context = { log, settings: { node: 'demo' } } as unknown as MachineContext;
    await announce({ transaction, outcome: 'rolled-back', failure, quarantine: undefined }, context);
    return lines.join('\n');
  };

  it('ends with what to do next', async () => {
    expect(await written(upgrade)).toMatch(/demo\.service exited once\. look$/);
  });

  it('asks nothing of anybody after a drill that passed', async () => {
    expect(await written({ ...upgrade, action: 'drill' })).not.toContain('look');
  });
});
