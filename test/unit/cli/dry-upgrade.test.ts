import { describe, expect, it } from 'vitest';
import { dryUpgradeLines, report } from '../../../src/cli/dry-upgrade.ts';
import type { Decision, Gate } from '../../../src/policy/decide.ts';
import { NODE, v } from './ledger.ts';
import { text } from './story.ts';

const around = { node: NODE, current: v('2.0.0'), sources: [], soak: 1000 };
const gate: Gate = { gate: 'quarantine', passed: false, message: '3.0.0 failed here: it crashed' };
const decision = (refused: readonly Gate[], gates: readonly Gate[] = refused): Decision => ({
  gates,
  refused,
  install: false,
  artifact: undefined,
  release: { version: v('3.0.0') } as Decision['release'],
});

describe('upgrade --dry-run', () => {
  it('is refused as the upgrade would be, with the way around it', () => {
    const plan = report(decision([gate]), around);
    expect(plan).toMatchObject({ install: false, refused: { code: 'POLICY_QUARANTINED' } });
    const said = text(dryUpgradeLines(plan));
    expect(said).toContain('3.0.0 failed here: it crashed');
    expect(said).toContain('--force quarantine');
  });

  it('has nothing to do where the upgrade has nothing to do', () => {
    const plan = report(decision([], [{ gate: 'newer', passed: false, message: '2.0.0 is what runs' }]), around);
    expect(plan).not.toHaveProperty('refused');
    expect(text(dryUpgradeLines(plan))).toBe('workerd would stay at 2.0.0: nothing to do.\n  2.0.0 is what runs');
  });
});
