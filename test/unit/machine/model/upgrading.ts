/** The steps of a transaction up to the start of the candidate: the effects of src/activation/*.ts, one by one, in their order. */
import { flushHome, linkTo, switchTo } from './disk.ts';
import {
  OK,
  after,
  bus,
  disk,
  failed,
  flush,
  is,
  mayTakeLong,
  verdict,
  waits,
  type Effect,
  type Flow,
  type Program,
} from './effect.ts';
import { unmark } from './ending.ts';
import { NOTED, isDown, orderRestart, orderTryRestart } from './node.ts';
import type { World } from './world.ts';

const supply: Pick<Program, 'fetch' | 'verify' | 'stage'> = {
  fetch: [
    {
      say: 'fetches new',
      needs: 'disk',
      act: (w) => {
        if (w.staged === '') w.copy = 'good';
        return OK;
      },
    },
  ],
  verify: [{ say: 'verifies new', act: (w) => (w.copy === 'bad' ? failed('TRUST_DIGEST') : OK) }],
  stage: [
    { say: 'looks whether new is staged', act: (w) => (w.staged === '' ? 'next' : OK) },
    disk('makeDirectory versions', 'makes versions/', () => undefined),
    disk('unpack', 'unpacks new into a staging directory', (w) => {
      w.litter = true;
    }),
    disk('replace listing', 'writes the listing of new', () => undefined),
    disk('replace record', 'writes the record of new', () => undefined),
    disk('syncFileSystem staging', 'flushes what it unpacked', (w) => {
      w.stagedFlush = 'contents';
    }),
    disk('rename version', 'renames it to versions/new', (w) => {
      w.staged = w.copy === 'bad' ? 'bad' : 'good';
      w.litter = false;
    }),
    {
      say: 'flushes versions/',
      needs: 'disk',
      act: (w) => {
        flushVersions(w);
        w.copy = '';
        return OK;
      },
    },
  ],
};

function flushVersions(w: World): void {
  if (w.stagedFlush === 'contents') w.stagedFlush = 'all';
}

const preflight: readonly Effect[] = [
  bus('facts', 'looks at the node', (w, { open }) => {
    const { action } = open.transaction;
    if (isDown(w) && (action === 'backup' || action === 'restore')) {
      w.before = 'resting';
      return 'next';
    }
    const wanted = action === 'install' || (action === 'rollback' && w.act === 'failed');
    if (isDown(w) && !wanted) return { answer: 'operator', code: 'HOST_NODE_STOPPED' };
    w.before = isDown(w) ? 'down' : 'running';
    return 'next';
  }),
  { say: 'reads the links', act: (w, { from }) => is(w.current, from) },
  {
    say: 'looks for the version',
    act: (w, { to }) => (to === 'new' && w.staged === '' ? failed('POLICY_NO_TARGET') : OK),
  },
];

export const arm: readonly Effect[] = [
  disk('flushDirectory versions', 'flushes versions/', flushVersions),
  disk('makeDirectory run', 'makes /run/node-updater/demo', () => undefined),
  disk('mark open', 'marks `open`', (w) => {
    w.open = true;
  }),
  {
    say: 'reads the links',
    act: (w, { from, open }) => {
      const without = from === '' || open.transaction.way === 'forward';
      return without || w.fallback === from ? { to: 6 } : is(w.current, from);
    },
  },
  disk('symlink fallback', 'makes the link `fallback`', (w, { from }) => {
    linkTo(w, from);
  }),
  flush,
  bus('facts', 'looks at the node', () => 'next'),
  disk('makeDirectory drop-ins', 'makes the directory of the drop-in', () => undefined),
  disk('replace probation', 'writes the drop-in of the probation', (w) => {
    w.dropIn = true;
  }),
  bus('reload', 'reloads systemd', (w) => {
    w.loaded = w.dropIn;
    return 'next';
  }),
  bus('facts', 'reads what systemd has loaded', (w, { open }) => {
    if (!w.loaded) return failed('HOST_UNIT');
    const { restore, backup } = open.transaction;
    if (restore !== undefined) return { answer: 'restore' };
    return backup === undefined ? OK : { answer: 'backup' };
  }),
];

const activate: readonly Effect[] = [
  {
    say: 'makes a temporary link',
    needs: 'disk',
    act: after((w) => {
      w.litter = true;
    }),
  },
  disk('switchLink current', 'renames it over `current`', (w, { to, open }) => {
    switchTo(w, to);
    w.litter = false;
    // A known limit: a node that somebody starts between a rename without a way back and its flush, and a power cut in there.
    if (open.transaction.way === 'forward') flushHome(w);
  }),
  { ...flush, act: (w) => (flushHome(w), OK) },
];

/** Somebody's job is under way, or the node is on its way down; only what was not lost sight of is waited for. */
function isPassing(w: World): boolean {
  return (w.wait === 'done' || w.wait === 'canceled') && (w.act === 'deactivating' || w.job !== '');
}

export function settled(effect: Effect): Effect {
  return {
    ...effect,
    act: (w, about) => (isPassing(w) ? 'blocked' : effect.act(w, about)),
    late: (w, about) => (isPassing(w) && mayTakeLong(w, about) ? effect.act(w, about) : 'blocked'),
  };
}

function asks(w: World): void {
  w.wait = orderTryRestart(w, 'us') === 'nothing' ? 'done' : 'pending';
}

/** What is judged from here on was started after this. */
export function noteClock(w: World): void {
  w.fresh = false;
  w.since = 'noted';
  w.base = 0;
}

export const start: readonly Effect[] = [
  {
    say: 'notes the clock',
    act: (w) => {
      if (w.before === 'resting') return { answer: 'resting' };
      noteClock(w);
      return w.before === 'down' ? { to: 5 } : 'next';
    },
  },
  bus('tryRestart', 'asks for one restart', after(asks)),
  waits,
  settled(
    bus('facts', 'looks whether it was restarted', (w) => {
      const again = w.wait === 'done' && w.job === '' && !isDown(w) && (!w.fresh || w.restarts > 0);
      return again ? 'next' : { to: 8 };
    }),
  ),
  bus('tryRestart', 'asks for one restart again', (w) => {
    asks(w);
    return { to: 7 };
  }),
  bus('resetFailed', 'forgets that the node failed', (w) => {
    if (w.act === 'failed') w.act = 'inactive';
    return 'next';
  }),
  bus('restart', 'asks for a start', (w, { open }) => {
    // Who installs a node, or rolls back one that has failed, wants it to run.
    if (open.transaction.backup === undefined) w.wish = 'run';
    orderRestart(w, 'us');
    w.wait = 'pending';
    return 'next';
  }),
  waits,
  settled(bus('facts', 'judges the start', judgeStart)),
  disk('remove down', 'removes the mark `down`', unmark),
  {
    say: 'is done',
    act: (w) => (w.seen === 'operator' ? { answer: 'operator' } : OK),
  },
];

export function judgeStart(w: World): Flow {
  const judged = verdict(w, NOTED, isDown(w) ? w.restarts : 0);
  const job = w.wait;
  w.wait = '';
  if (job === 'no-answer') return failed('GATE_NOT_READY');
  if (judged.kind === 'failed' && job === 'done') return failed(judged.code);
  if (judged.kind === 'failed' || (job !== 'done' && job !== 'canceled')) return failed('ACTIVATE_START');
  w.seen = judged.kind === 'operator' ? 'operator' : '';
  return 'next';
}

export const UPGRADING = { ...supply, preflight, arm, activate, start } satisfies Partial<Program>;
