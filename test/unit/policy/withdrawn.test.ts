import { describe, expect, it } from 'vitest';
import { withdrawnWarnings } from '../../../src/policy/withdrawn.ts';
import type { NodeName } from '../../../src/release.ts';
import { reportStatus } from '../../../src/cli/status-report.ts';
import { statusLines } from '../../../src/cli/status-text.ts';
import { compareVersions } from '../../../src/version.ts';
import { v } from '../cli/ledger.ts';
import { CHECK, config, facts, NOW, STORY, text, units } from '../cli/story.ts';

const NODE = 'demo' as NodeName;

describe('a version that is withdrawn', () => {
  it('is warned of while it runs, in its publisher’s words', () => {
    const known = { withdrawn: [v('2.0.0')], withdrawnNotes: { '2.0.0': 'withdrawn: loses its index' } };
    expect(withdrawnWarnings(NODE, v('2.0.0'), known)).toMatchObject([
      { code: 'POLICY_WITHDRAWN', message: '2.0.0, which runs, was withdrawn by its publisher: loses its index' },
    ]);
    expect(withdrawnWarnings(NODE, v('2.0.0'), { withdrawn: [v('2.0.0')] })[0]?.message).toMatch(/its publisher$/);
  });

  it('is not warned of where another runs, none does, or nothing is known', () => {
    const known = { withdrawn: [v('2.0.0')] };
    expect(withdrawnWarnings(NODE, v('1.0.0'), known)).toEqual([]);
    expect(withdrawnWarnings(NODE, undefined, known)).toEqual([]);
    expect(withdrawnWarnings(NODE, v('1.0.0'), {})).toEqual([]);
  });

  it('is in what status shows, with the command that goes back', () => {
    const check = { ...CHECK, withdrawn: [v('2.0.0')] };
    const report = reportStatus([facts(STORY, { check })], units(), config(), compareVersions);
    const said = text(statusLines(report, NOW));
    expect(said).toContain('Warning: workerd: 2.0.0, which runs, was withdrawn by its publisher\n');
    expect(said).toContain('sudo node-updater rollback workerd');
  });
});
