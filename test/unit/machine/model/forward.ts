/** The step `resume`: a version without a way back was left in its soak. */
import { OK, assemble, failed, type Effect, type Flow, type Program, type Step, bus } from './effect.ts';
import { withCleanUp } from './room.ts';
import { arm, start } from './upgrading.ts';

const armed: readonly Step[] = arm.map((effect, at): Step => {
  // Without a link to make.
  if (at === 3) return { ...effect, act: () => ({ go: 'probation' }) };
  if (at === 6) return { ...effect, at: 'probation' };
  if (at < arm.length - 1) return effect;
  return { ...effect, act: (w) => (w.loaded ? 'next' : failed('HOST_UNIT')) };
});

const begin: Step = {
  say: 'counts how often it was resumed',
  act: (w, { times, limits }) => {
    // Nothing of the soak before counts.
    Object.assign(w, { soaked: false, committing: false });
    return times('resume') > limits.resumes ? { go: 'gives up' } : 'next';
  },
};

const resumed: readonly Step[] = [
  begin,
  ...armed,
  {
    ...bus('facts', 'looks at the node', () => 'next'),
    act: (w, { to: version }) => {
      const stopped = w.act === 'inactive' || (w.act === 'failed' && w.result === 'told');
      if (stopped && w.job === '') return { go: 'was stopped' };
      if (w.act === 'failed' && w.job === '') return { go: 'starts' };
      // The run that switched died before the restart.
      if (w.runs !== '' && w.runs !== version) return { go: 'restarts' };
      w.base = w.restarts;
      return OK;
    },
  },
];

/** `startNode`, of a node that is down and of one that runs. */
function nodeStarts(): readonly Step[] {
  const [notes, ...steps] = start;
  if (notes === undefined) throw new Error('no effects');
  const at = resumed.length + 1;
  const shift = (flow: Flow): Flow => (typeof flow === 'object' && 'to' in flow ? { to: flow.to + at } : flow);
  const all: readonly Step[] = [
    { at: 'starts', say: 'sees it down', act: (w) => ((w.before = 'down'), 'next') },
    { ...(notes as Step), at: 'restarts' },
    ...(steps as readonly Step[]),
  ];
  return all.map((step, n): Step => {
    if (n === 0) return step;
    const { act, late } = step as Effect;
    return {
      ...step,
      act: (w, about) => shift(act(w, about)),
      ...(late === undefined ? {} : { late: (w, about) => shift(late(w, about)) }),
    };
  });
}

const resume = assemble(
  withCleanUp(
    [
      ...resumed,
      ...nodeStarts().map((step, at, all): Step =>
        at < all.length - 1 ? step : { ...step, act: (w) => (w.seen === 'operator' ? { go: 'cleans up' } : OK) },
      ),
      {
        at: 'was stopped',
        say: 'sees it stopped by its operator',
        act: (w) => ((w.seen = 'operator'), { go: 'cleans up' }),
      },
      { at: 'gives up', say: 'asks for a person', act: (w) => ((w.code = 'ACTIVATE_INTERRUPTED'), 'next') },
    ],
    'cleans up',
    (w) => (w.seen === 'operator' ? { answer: 'operator' } : { answer: 'unproven', code: 'ACTIVATE_INTERRUPTED' }),
  ),
);

export const FORWARD = { resume } satisfies Partial<Program>;
