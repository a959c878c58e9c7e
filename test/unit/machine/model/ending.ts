/** The steps that end a transaction, this run's or another's: the effects of src/activation/*.ts, one by one, in their order. */
import { judge } from '../../../../src/machine/recover.ts';
import type { Version } from '../../../../src/release.ts';
import { change } from './disk.ts';
import {
  OK,
  answerOk,
  bus,
  disk,
  failed,
  flush,
  is,
  mayTakeLong,
  soakLook,
  soakVerdict,
  verdict,
  waits,
  type Effect,
  type Flow,
  type Program,
} from './effect.ts';
import { isDown, orderStop } from './node.ts';
import type { V, World } from './world.ts';

const soak: readonly Effect[] = [
  {
    ...bus('facts', 'soaks', (w) => soakLook(w, soakVerdict(w))),
    late: (w, about) =>
      mayTakeLong(w, about) && soakVerdict(w).kind === 'waiting' ? failed('GATE_NOT_READY') : 'blocked',
  },
  {
    say: 'has held',
    act: (w) => {
      w.soaked = true;
      w.blemish = false;
      return OK;
    },
  },
];

/** Only a unit that is installed anew. */
function enabling(say: string, enabled: boolean): Effect {
  return {
    say,
    needs: 'bus',
    act: (w, { from }) => {
      if (from === '') w.enabled = enabled;
      return 'next';
    },
  };
}

/** systemd flushes nothing of what it links. */
const flushLinks: Effect = {
  say: 'flushes what starts it at boot',
  needs: 'disk',
  act: (w, { from }) => {
    if (from === '') w.diskEnabled = w.enabled;
    return 'next';
  },
};

const commit: readonly Effect[] = [
  {
    ...bus('facts', 'takes the last look', (w) => {
      const judged = soakVerdict(w);
      if (judged.kind === 'holds') return 'next';
      if (judged.kind === 'waiting') return 'blocked';
      return judged.kind === 'operator' ? { answer: 'operator' } : failed(judged.code);
    }),
    late: (w, about) =>
      mayTakeLong(w, about) && soakVerdict(w).kind === 'waiting' ? failed('GATE_NOT_READY') : 'blocked',
  },
  { say: 'reads the links', act: (w, { to }) => is(w.current, to) },
  disk('remove fallback', 'unlinks `fallback`', (w, { from }) => {
    w.committing = true;
    if (from !== '' && w.fallback !== '') change(w, 'U');
  }),
  flush,
  enabling('enables a unit that it has made', true),
  flushLinks,
  answerOk,
];

/** From now on nobody but the node's operator starts a node that is down. */
export function unmark(w: World): void {
  w.down = '';
  w.blind = false;
}

/** `cleanUp`, which ends several steps; `at`: the place of its first effect in the step. */
export function cleanUp(at: number): readonly Effect[] {
  return [
    { say: 'looks for the drop-in', act: (w) => (w.dropIn ? 'next' : { to: at + 2 }) },
    disk('remove probation', 'removes the drop-in of the probation', (w) => {
      w.dropIn = false;
    }),
    bus('facts', 'looks whether systemd has read that', (w) => (w.loaded === w.dropIn ? { to: at + 4 } : 'next')),
    bus('reload', 'reloads systemd', (w) => {
      w.loaded = w.dropIn;
      return 'next';
    }),
    disk('remove down', 'removes the mark `down`', unmark),
    disk('remove stopped', 'removes the mark `stopped`', (w) => {
      w.stopped = false;
    }),
    disk('remove open', 'removes the mark `open`', (w) => {
      w.open = false;
    }),
  ];
}

const stopping: readonly Effect[] = [
  bus('stop', 'asks for a stop', (w) => {
    orderStop(w, 'us');
    w.wait = w.job === '' ? 'done' : 'pending';
    return 'next';
  }),
  { ...waits, say: 'learns that the node is down' },
];

const withdraw: readonly Effect[] = [
  enabling('disables what it has enabled', false),
  flushLinks,
  ...stopping,
  disk('remove current', 'unlinks `current`', (w) => {
    w.wait = '';
    if (w.current !== '') change(w, 'C');
  }),
  flush,
  ...stopping,
  ...cleanUp(8),
  bus('resetFailed', 'forgets that the node failed', (w) => {
    w.wait = '';
    if (w.act === 'failed') w.act = 'inactive';
    return OK;
  }),
];

const settle: readonly Effect[] = [
  {
    say: 'reads the links and the ledger',
    act: (w, { open }) => {
      const wanted = w.asked === 'rollback' && open.backup !== undefined && open.transaction.data?.rollback !== 'never';
      const links = { current: versionOf(w.current), fallback: versionOf(w.fallback) };
      const judged = w.open ? 'armed' : judge(open, links);
      const back = judged === 'forward' && wanted && open.transaction.action === 'upgrade';
      return { answer: back ? 'going-back' : judged };
    },
  },
];

function versionOf(version: V): Version | undefined {
  return version === '' ? undefined : (version as Version);
}

const gateOld: readonly Effect[] = [
  bus('facts', 'looks at the node', (w) => {
    w.seen = isDown(w) && w.job === '' ? 'down' : 'up';
    w.base = w.restarts;
    return 'next';
  }),
  {
    say: 'looks for the mark `stopped`',
    act: (w, { open }) => {
      const stopped =
        open.rests === 'yes' || open.lastEvent === 'operator' || open.boot !== String(w.boot) || w.stopped;
      if (!stopped && w.seen === 'down') w.seen = '';
      return 'next';
    },
  },
  ...cleanUp(2),
  { say: 'remembers who stopped it', act: (w) => (w.seen === 'down' ? { answer: 'operator' } : 'next') },
  {
    ...bus('facts', 'gates the version before', (w) => gateLook(w)),
    late: (w, about) =>
      mayTakeLong(w, about) && verdict(w, 0n, w.base).kind === 'waiting' ? failed('GATE_OLD') : 'blocked',
  },
];

function gateLook(w: World): Flow {
  const flow = soakLook(w, verdict(w, 0n, w.base));
  if (flow === 'next') return OK;
  return flow === 'blocked' ? flow : failed('GATE_OLD');
}

export const ENDING = {
  soak,
  commit,
  clean: [...cleanUp(0), answerOk],
  settle,
  withdraw,
  'gate-old': gateOld,
} satisfies Partial<Program>;
