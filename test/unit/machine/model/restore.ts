/** The steps `restore` and `go-back`: the effects of src/activation/restore.ts and src/backup/restore.ts, one by one, in their order. */
import { through, failedSo, starting, restarting, holding } from './again.ts';
import { flushHome, switchTo } from './disk.ts';
import { isDown } from './node.ts';
import {
  OK,
  after,
  assemble,
  verdict,
  type About,
  type Flow,
  type Go,
  type Program,
  type Step,
  bus,
  disk,
} from './effect.ts';
import { HALF, finishing, putting } from './putting.ts';
import { isPassing, to, setting, withCleanUp, stopping } from './room.ts';
import type { V, World } from './world.ts';

/** `restoreData`. */
function restoring(target: (about: About) => V): readonly Step[] {
  return [
    { ...disk('mark open', 'marks `open`', setting({ open: true })), ...HALF },
    { say: 'reads the file `restoring`', act: onceMore },
    ...stopping('a restore', decide, HALF).map((step): Step => through(step, orHeld)),
    { say: 'has stopped it', act: (w) => ((w.then = 'start'), { go: 'holds' }) },
    ...keepingDown(HALF, orHeld),
    ...putting,
    { say: 'makes a temporary link', needs: 'disk', act: setting({ litter: true }), ...HALF },
    {
      ...disk('switchLink current', 'renames it over `current`', () => undefined),
      act: (w, about) => {
        switchTo(w, target(about));
        w.litter = false;
        return 'next';
      },
      ...HALF,
    },
    { say: 'flushes /opt/demo', needs: 'disk', act: after(flushHome), ...HALF },
    ...releasing('done'),
  ];
}

/** `keepDown`; `what`: what is made of the answers of its stop. */
function keepingDown(more: Partial<Step>, what: typeof orHeld): readonly Step[] {
  return [
    { ...disk('replace restoring', 'makes the file `restoring`', hold), at: 'holds', ...more },
    { say: 'flushes that', needs: 'disk', act: after(flushHeld), ...more },
    {
      say: 'looks what becomes of it once more',
      act: (w) => (w.then === 'start' ? { go: 'stops it again' } : 'next'),
    },
    {
      ...bus('facts', 'looks whether somebody has started it', () => 'next'),
      act: (w) => {
        if (isPassing(w)) return 'blocked';
        if (isDown(w)) return { go: 'room' };
        w.then = 'start';
        w.blind = true;
        return 'next';
      },
      ...more,
    },
    { ...disk('replace restoring', 'writes so into `restoring`', hold), ...more },
    { say: 'flushes that', needs: 'disk', act: after(flushHeld), ...more },
    ...stopping('the room', () => ({ go: 'room' }), more).map((step, at): Step =>
      through(at === 0 ? { ...step, at: 'stops it again' } : step, what),
    ),
  ];
}

function orHeld(flow: Flow | Go, w: World): Flow | Go {
  return typeof flow === 'object' && 'answer' in flow ? to('held down')(w, 'ACTIVATE_STOP') : flow;
}

/** What becomes of the node is decided once, and kept in the file. */
function onceMore(w: World): Flow | Go {
  if (w.restoring === '') return 'next';
  const boots = w.restoring === 'rests before' && w.enabled;
  w.then = w.restoring === 'start' || boots ? 'start' : 'rest';
  return { go: 'holds' };
}

/** Of one that was down: whether its operator has stopped it. */
function decide(w: World, { open }: About): Go {
  const resting = w.before === 'resting' || open.rests === 'yes';
  w.then = resting || verdict(w, 0n, w.restarts).kind === 'operator' ? 'rest' : 'start';
  w.blind = w.then === 'start';
  return { go: 'holds' };
}

function hold(w: World): void {
  w.restoring = w.then === 'rest' ? 'rests' : 'start';
}

function flushHeld(w: World): void {
  w.diskRestoring = w.restoring;
}

/** The last that is done under the file `restoring`, and its end. */
function releasing(name: string, more: Partial<Step> = HALF, marks: readonly Step[] = []): readonly Step[] {
  const gone = `${name}, without a mark`;
  return [
    { at: name, say: 'looks what becomes of the node', act: (w) => (w.then === 'start' ? 'next' : { go: gone }) },
    ...marks,
    { ...bus('facts', 'looks which invocation it had', (w) => ((w.read = 'same'), 'next')), ...more },
    {
      ...disk('mark down', 'marks the node as down by our doing', (w) => {
        Object.assign(w, { down: w.read, read: '', blind: true });
      }),
      ...more,
    },
    { ...disk('remove restoring', 'removes the file `restoring`', setting({ restoring: '' })), at: gone, ...more },
    { say: 'flushes that it is gone', needs: 'disk', act: setting({ diskRestoring: '' }), ...more },
  ];
}

const restore = assemble(
  withCleanUp(
    [
      ...restoring(({ to: version }) => version),
      { say: 'has restored', act: () => ({ go: 'whether it starts' }) },
      ...releasing('refused'),
      ...starting('answers so'),
      {
        at: 'answers so',
        say: 'is done',
        act: (w) => {
          if (w.code !== '') return { answer: 'refused', code: w.code };
          return { answer: w.then === 'rest' ? 'resting' : 'ok' };
        },
      },
      ...holding,
    ],
    'cleans up',
    failedSo,
  ),
);

const goBack = assemble(
  withCleanUp(
    [
      {
        say: 'looks for a way back',
        act: (w, { open }) => {
          const { action, data } = open.transaction;
          if (action === 'upgrade' && data?.rollback !== 'never' && open.backup !== undefined) return 'next';
          return to('cleans up')(w, 'GATE_OLD');
        },
      },
      ...restoring(({ from }) => from),
      { say: 'has restored', act: () => ({ go: 'whether it starts' }) },
      ...releasing('refused'),
      ...starting('answers so'),
      { at: 'answers so', say: 'is done', act: (w) => (w.code === '' ? OK : { go: 'cleans up' }) },
      ...holding,
    ],
    'cleans up',
    failedSo,
  ),
);

/** `endHold` and what follows it, where the file `restoring` is there and nothing is open. */
export const HELD = assemble(
  withCleanUp(
    [
      { say: 'reads the file `restoring`', act: (w) => (onceMore(w), 'next') },
      bus('facts', 'looks whether its operator has given it up', (w) => {
        if (!w.enabled) w.then = 'rest';
        return 'next';
      }),
      ...keepingDown({}, (flow) => flow),
      ...finishing('let go'),
      ...releasing('let go', {}, [disk('mark open', 'marks `open`', setting({ open: true }))]),
      { say: 'has let it go', act: (w) => (w.then === 'rest' ? { go: 'cleans up' } : 'next') },
      ...restarting('starts'),
      { say: 'has started it', act: () => ({ go: 'cleans up' }) },
      { at: 'is tried again', say: 'leaves it to the fallback', act: failedSo },
    ],
    'cleans up',
    () => OK,
  ),
);

export const RESTORE = { restore, 'go-back': goBack } satisfies Partial<Program>;
