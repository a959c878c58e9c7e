import { describe, expect, it } from 'vitest';
import { DATA_MUTANTS } from './data-mutants.ts';
import { DATA_REOPENED } from './data-reopened.ts';
import { REAL, type Design } from './design.ts';
import { explore } from './explore.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { REOPENED } from './reopened.ts';

const ALL = [...MUTANTS, ...REOPENED, ...DATA_MUTANTS, ...DATA_REOPENED];

function wrongs({ kinds, daemon, scenario = 'upgrade' }: Mutant, design: Design): string {
  return [...explore({ scenario, design, kinds, events: kinds.length, ...daemon }).wrong.keys()].join('\n');
}

describe('the checker', () => {
  it.each(ALL)('catches a design that $is', (mutant) => {
    expect(wrongs(mutant, mutant.change(REAL))).toMatch(mutant.wrong);
  });

  it.each(ALL)('finds nothing where only that is right again: $is', (mutant) => {
    expect(wrongs(mutant, REAL)).toBe('');
  });
});
