/** What several steps about data have in common: the stop of the node, and the orders of the backup room. */
import { cleanUp, unmark } from './ending.ts';
import type { ErrorCode } from '../../../../src/errors.ts';
import { bus, disk, failed, waits, type About, type Flow, type Go, type Step } from './effect.ts';
import { isDown, orderStop } from './node.ts';
import type { World } from './world.ts';

/** What the transaction hands to the backup room, and that room's start. */
const ORDER = ['makeDirectory run', 'remove backup-report.jsonl', 'replace backup.json', 'start'];

export function inRoom(say: string, act: (w: World, about: About) => Flow | Go, more: Partial<Step> = {}): Step {
  return { say, by: 'room', act, ...more };
}

export function roomStarts(more: Partial<Step> = {}): Step {
  return {
    ...bus('', 'starts the backup room', (w) => ((w.room = true), 'next')),
    port: ORDER,
    ...more,
  };
}

/** On its way down, or between the halves of a restart. */
export function isPassing(w: World): boolean {
  return w.act === 'deactivating' || (isDown(w) && w.job !== '');
}

/** `stopNode`; `name`: which of them; `down`: where it goes on with a node that is down already. */
export function stopping(name: string, down: Step['act'], more: Partial<Step> = {}): readonly Step[] {
  const names = `names what it has stopped for ${name}`;
  const steps: readonly Step[] = [
    {
      ...bus('facts', 'looks whom it stops', () => 'next'),
      act: (w, about) => {
        if (isPassing(w)) return 'blocked';
        w.blind = !isDown(w);
        return isDown(w) ? down(w, about) : 'next';
      },
    },
    disk('mark down', 'marks the node as down by our doing', (w) => Object.assign(w, { down: 'any', blind: true })),
    bus('stop', 'asks for a stop', (w) => {
      orderStop(w, 'us');
      w.wait = w.job === '' ? 'done' : 'pending';
      return 'next';
    }),
    // Systemd kills what is slow, and that is waited for.
    { say: 'learns that the node is down', needs: 'bus', act: waits.act },
    {
      ...bus('facts', 'looks whether it is', () => 'next'),
      act: (w) => {
        Object.assign(w, { wait: '', seen: isDown(w) ? 'down' : 'up', read: 'same' });
        return isDown(w) || w.act === 'deactivating' ? { go: names } : 'next';
      },
    },
    {
      ...disk('remove down', 'sees that somebody has started it', unmark),
      act: (w) => (unmark(w), isStopped(w)),
    },
    { ...disk('mark down', names, () => undefined), at: names, act: (w) => ((w.down = w.read), isStopped(w)) },
  ];
  return steps.map((step) => ({ ...step, ...more }));
}

function isStopped(w: World): Flow {
  const { seen } = w;
  Object.assign(w, { seen: '', read: '' });
  return seen === 'down' ? 'next' : failed('ACTIVATE_STOP');
}

/** What remembers why, goes on elsewhere. */
export function to(place: string): (w: World, code: ErrorCode) => Go {
  return (w, code) => {
    w.code = code;
    w.wait = '';
    w.room = false;
    return { go: place };
  };
}

export function setting(change: Partial<World>): (w: World) => Flow {
  return (w) => (Object.assign(w, change), 'next');
}

/** `cleanUp`, and the failure that was remembered. */
function cleaning(place: (steps: number) => number, name: string, then: Flow | ((w: World) => Flow)): readonly Step[] {
  const at = place(0);
  return [
    ...cleanUp(at).map((effect, n): Step => (n === 0 ? { ...effect, at: name } : effect)),
    { say: 'is done', act: (w) => (typeof then === 'function' ? then(w) : then) },
  ];
}

/** Each `cleanUp` knows its own place in the step. */
export function withCleanUp(steps: readonly Step[], name: string, then: (w: World) => Flow): readonly Step[] {
  return [...steps, ...cleaning(() => steps.length, name, then)];
}
