import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { README, renderDiagram, withDiagram } from '../../../scripts/diagram.ts';
import { WORKING, type Event } from '../../../src/machine/state.ts';
import { TRANSITIONS } from '../../../src/machine/transitions.ts';

describe('the diagram of the transition table', () => {
  it('in src/README.md is what the table gives; `npm run diagram` writes it', () => {
    const readme = readFileSync(README, 'utf8');
    expect(readme).toBe(withDiagram(readme));
  });

  it('shows every row of the table', () => {
    const edges = renderDiagram()
      .split('\n')
      .map((line) => line.trim().replaceAll('_', '-'));
    for (const state of WORKING) {
      for (const [event, to] of Object.entries(TRANSITIONS[state]) as [Event, string][]) {
        const drawn = (from: string) =>
          edges.some((edge) => edge.startsWith(`${from} --> ${to} : `) && edge.split(/[ ,]+/).includes(event));
        const shared = event === 'failed' && drawn(`part-${to}`);
        expect(shared || drawn(state), `${state} ${event} ${to}`).toBe(true);
      }
    }
  });

  it('cannot be written into a file without its markers', () => {
    expect(() => withDiagram('# The code')).toThrow(/needs the lines/);
  });
});
