import { describe, expect, it } from 'vitest';
import type { Design } from './design.ts';
import { explore } from './explore.ts';
import { CURED } from './holes.ts';
import { MUTANTS, type Mutant } from './mutants.ts';

function wrongs({ kinds }: Mutant, design: Design): string {
  return [...explore({ design, kinds, events: kinds.length }).wrong.keys()].join('\n');
}

describe('the checker', () => {
  it.each(MUTANTS)('catches a design that $is', (mutant) => {
    expect(wrongs(mutant, mutant.change(CURED))).toMatch(mutant.wrong);
  });

  it.each(MUTANTS)('finds nothing where only that is right again: $is', (mutant) => {
    expect(wrongs(mutant, CURED)).toBe('');
  });
});
