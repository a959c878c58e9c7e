/**
 * The whole transaction, its fallback and a hostile world, explored exhaustively: what may go wrong at every moment, in every
 * order. NODE_UPDATER_TEST_CASES=2 lets one thing more happen to each host, which is the full run: `npm run test:model`.
 */
import { describe, expect, it } from 'vitest';
import { cases } from '../../../rig/cases.ts';
import { KILLS } from './environment.ts';
import { explore, type Exploration, type Explored } from './explore.ts';
import { DATA_SCENARIOS, SCENARIOS } from './world.ts';

const EVENTS = Math.min(2, cases(1));
const DAEMONS = [
  { daemon: 'plain' },
  { daemon: 'one that answers its stop with an error', sulky: true },
  { daemon: 'one whose unit systemd forgets', collectable: true },
  { daemon: 'one that is slower than every limit', slow: true },
] as const;
const LONG = 600_000;

/** How far each way was, for whoever makes the full run. */
function told(asked: Exploration): Explored {
  const began = performance.now();
  const explored = explore(asked);
  const { states, moves, depth } = explored;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (EVENTS === 1) return explored;
  console.log(
    `${asked.scenario ?? ''}, ${asked.events} events: ${states} states, ${moves} moves, depth ${depth}, ${seconds} s`,
  );
  return explored;
}

/** Each wrong thing with its shortest trace, to be read. */
function tell({ wrong, times }: Explored): string {
  const found = [...wrong.values()].map(({ what, trace }) => [
    `${what} (${times.get(what) ?? 0} times), first so:`,
    ...trace.map((step) => `  ${step}`),
  ]);
  return found.flat().join('\n');
}

const WAYS = [
  ...(['upgrade', 'rollback'] as const).flatMap((scenario) => DAEMONS.map((daemon) => ({ scenario, ...daemon }))),
  // Nobody waits for what is slow to be withdrawn, and what staging left is the same for every daemon.
  ...DAEMONS.slice(0, 3).map((daemon) => ({ scenario: 'install' as const, ...daemon })),
  { scenario: 'half-staged' as const, ...DAEMONS[0] },
  ...DATA_SCENARIOS.map((scenario) => ({ scenario, ...DAEMONS[0] })),
  // Where something waits for the daemon, or judges how it ended; in the full run wherever data is at stake.
  ...DATA_SCENARIOS.filter(
    (scenario) => EVENTS > 1 || scenario === 'epoch' || scenario === 'restore of the version before',
  ).flatMap((scenario) => DAEMONS.slice(1).map((daemon) => ({ scenario, ...daemon }))),
];

describe('the transaction and its fallback', () => {
  it.each([...SCENARIOS, ...DATA_SCENARIOS])('do what was asked for when nothing happens: %s [S3.30]', (scenario) => {
    const explored = told({ scenario, events: 0 });
    expect(tell(explored)).toBe('');
    expect([...explored.outcomes.keys()]).toEqual(['committed']);
  });

  it.each([...SCENARIOS, ...DATA_SCENARIOS.filter((_, at) => at % 2 === 1 || EVENTS > 1)])(
    'keep every invariant, whatever is killed and whenever, and what recovers too: %s',
    (scenario) => {
      expect(tell(told({ scenario, events: EVENTS + 1, kinds: KILLS }))).toBe('');
    },
    LONG,
  );

  it.each(WAYS)(
    'keep every invariant and come to rest, whatever happens and whenever: $scenario of $daemon',
    ({ scenario, ...daemon }) => {
      const explored = told({ scenario, events: EVENTS, ...daemon });
      expect(tell(explored)).toBe('');
      // Where nobody asks for anything, the one thing that happens ends no transaction badly.
      const least = scenario === 'held' && EVENTS === 1 ? 1 : 2;
      expect(explored.outcomes.size).toBeGreaterThanOrEqual(least);
    },
    LONG,
  );
});
