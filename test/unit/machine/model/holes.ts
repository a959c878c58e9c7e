/**
 * What the model finds wrong in the design as it is, each with the least that has to happen to the host, and with a cure that
 * is enough. Who closes one in src/ or units/ takes it from here: its cure becomes part of the model's effects and commands.
 */
import { REAL, withEffect, withoutEffect, type Design } from './design.ts';
import { failed } from './effect.ts';
import type { Kind } from './environment.ts';
import { isDown, orderTryRestart } from './node.ts';
import type { Scenario } from './world.ts';

export interface Hole {
  readonly is: string;
  readonly cure: (design: Design) => Design;
  readonly scenario: Scenario;
  readonly kinds: readonly Kind[];
  /** What happens in the shortest trace, each with the step of the host's own before it. */
  readonly when: readonly string[];
  readonly wrong: string;
}

const STARTED = 'a node that its operator stopped was started';
const BLAMED = 'a version is in quarantine with no evidence against it';

export const HOLES: readonly Hole[] = [
  {
    is: 'the start counts exits of the version before against the candidate when its operator stops the node',
    // A node on its way is waited for; one that is down after a job that did not fail was stopped by somebody.
    cure: (design) =>
      withEffect(design, 'start', 'judges the start', (judge) => ({
        ...judge,
        act: (w, about) => {
          if (w.wait !== 'done' && w.wait !== 'canceled') return judge.act(w, about);
          if (w.act === 'deactivating' || w.job !== '') return 'blocked';
          if (!isDown(w)) return judge.act(w, about);
          Object.assign(w, { wait: '', seen: 'operator' });
          return 'next';
        },
        late: (w, { slow }) => (w.job !== '' && (slow || w.sick) ? failed('GATE_NOT_READY') : 'blocked'),
      })),
    scenario: 'upgrade',
    kinds: ['node ends', 'operator and node'],
    when: [
      'transaction: start: notes the clock',
      '! old crashes',
      'systemd: starts new',
      '! operator: systemctl stop the node',
    ],
    wrong: BLAMED,
  },
  {
    is: 'the mark `down` outlives the stop of an operator that came before the restart',
    // One TryRestartUnit needs no mark: systemd carries it out whole. It is asked again in the same way.
    cure: (design) => {
      const bare = withoutEffect(
        withoutEffect(design, 'start', 'opens the mark `down`'),
        'start',
        'writes the mark `down`',
      );
      return withEffect(bare, 'start', 'asks for a restart for certain', (ask) => ({
        ...ask,
        act: (w) => {
          w.wait = orderTryRestart(w, 'us') === 'nothing' ? 'done' : 'pending';
          return { to: 10 };
        },
      }));
    },
    scenario: 'upgrade',
    kinds: ['operator and node', 'kill'],
    when: [
      'transaction: start: writes the mark `down`',
      '! operator: systemctl stop the node',
      'systemd: sees the node down',
      '! SIGKILL of the transaction',
    ],
    wrong: STARTED,
  },
];

/**
 * All that the checker says of the design as it is: with one thing happening, whatever it is, and with two or three of what only
 * kills.
 */
export const KNOWN: Readonly<
  Record<Scenario, { readonly anything: readonly string[]; readonly kills: readonly string[] }>
> = {
  upgrade: { anything: [], kills: [] },
  'half-staged': { anything: [], kills: [] },
  install: { anything: [], kills: [] },
  rollback: { anything: [], kills: [] },
};

/** Nothing is wrong with it: what is found in a mutant of it is the mutant's. */
export const CURED = HOLES.reduce((design, { cure }) => cure(design), REAL);

/** The design with every hole closed but this one. */
export function allBut(hole: Hole): Design {
  return HOLES.reduce((design, other) => (other === hole ? design : other.cure(design)), REAL);
}
