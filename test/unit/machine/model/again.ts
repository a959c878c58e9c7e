/** The node after a restore: started again, left down, or held down until a later run. */
import { countsAgainst } from '../../../../src/machine/recover.ts';
import type { Failure } from '../../../../src/machine/state.ts';
import { after, bus, disk, failed, type About, type Flow, type Go, type Step, waits } from './effect.ts';
import { unmark } from './ending.ts';
import { orderRestart } from './node.ts';
import { to, setting } from './room.ts';
import { judgeStart, noteClock, settled } from './upgrading.ts';
import type { World } from './world.ts';

export function restarting(name: string): readonly Step[] {
  const broken = { refused: to('is tried again') } as const;
  const steps: readonly Step[] = [
    { at: name, say: 'notes the clock', act: after(noteClock) },
    {
      ...bus('resetFailed', 'forgets that the node failed', (w) => {
        if (w.act === 'failed') w.act = 'inactive';
        return 'next';
      }),
      ...broken,
    },
    {
      ...bus('restart', 'asks for a start', (w) => {
        orderRestart(w, 'us');
        w.wait = 'pending';
        return 'next';
      }),
      ...broken,
    },
    { ...waits, ...broken },
    {
      ...settled(bus('facts', 'judges the start', judgeStart)),
      ...broken,
    },
    { ...disk('remove down', 'removes the mark `down`', unmark), ...broken },
  ];
  return steps.map((step) => through(step, failing));
}

/** The same step, of whose answers something else is made. */
export function through({ act, late, ...step }: Step, what: (flow: Flow | Go, w: World) => Flow | Go): Step {
  return {
    ...step,
    act: (w, about) => what(act(w, about), w),
    ...(late === undefined ? {} : { late: (w: World, about: About) => what(late(w, about), w) }),
  };
}

function failing(flow: Flow | Go, w: World): Flow | Go {
  return typeof flow === 'object' && 'answer' in flow && flow.answer === 'failed'
    ? to(countsAgainst({ code: flow.code ?? 'INTERNAL' } as Failure) ? 'cleans up' : 'is tried again')(
        w,
        flow.code ?? 'INTERNAL',
      )
    : flow;
}

export function starting(then: string): readonly Step[] {
  return [
    {
      at: 'whether it starts',
      say: 'looks what becomes of it',
      act: (w) => (w.then === 'rest' ? 'next' : { go: 'starts' }),
    },
    disk('mark stopped', 'marks the node as stopped by its operator', (w) => void (w.stopped = true)),
    { say: 'leaves it down', act: () => ({ go: then }) },
    ...restarting('starts'),
  ];
}

const heldDown = (w: World): Flow => ({ answer: 'later', code: w.code === '' ? 'INTERNAL' : w.code });
export const failedSo = (w: World): Flow => failed(w.code === '' ? 'INTERNAL' : w.code);

function isLastTry({ times, limits }: About): boolean {
  return times('restore') + times('go-back') >= limits.tries;
}

export const holding: readonly Step[] = [
  {
    at: 'held down',
    say: 'looks how often it has tried',
    act: (_, about) => (isLastTry(about) ? 'next' : { go: 'comes again' }),
  },
  { say: 'looks for the file `restoring`', act: (w) => (w.restoring === '' ? failedSo(w) : 'next') },
  { ...disk('remove open', 'removes the mark `open`', setting({ open: false })), refused: () => 'next' },
  { at: 'comes again', say: 'leaves it to the next run', act: heldDown },
  {
    at: 'is tried again',
    say: 'looks how often it has tried',
    act: (w, about) => (isLastTry(about) ? failedSo(w) : { go: 'comes again' }),
  },
];
