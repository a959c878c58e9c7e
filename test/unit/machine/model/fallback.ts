/**
 * The commands of node-updater-revert@ and node-updater-boot@, each with its text in the unit, so that a test can hold the
 * one against the other.
 */
import { change, flushHome } from './disk.ts';
import { isDown, orderRestart, orderTryRestart } from './node.ts';
import { clearProcess, type World } from './world.ts';

/** What follows a part of a command: its next part, the next command, or the failure of the command. */
export type After = 'part' | 'line' | 'fails';

export interface Part {
  readonly say: string;
  readonly act: (w: World) => After;
}

export interface Line {
  /** What follows `ExecStart=` in the unit; with a leading `-` its failure, and the death of its process, changes nothing. */
  readonly text: string;
  readonly parts: readonly Part[];
}

function does(say: string, act: (w: World) => void, then: After = 'line'): Part {
  return {
    say,
    act: (w) => {
      act(w);
      return then;
    },
  };
}

/** Systemd knows no invocation of a unit that it has forgotten, and the mark holds. */
function downIsOver(w: World): boolean {
  return w.down === 'stale' && !w.forgotten;
}

const SEE: readonly Part[] = [
  does(
    'looks whether `down` still holds',
    (w) => {
      if (downIsOver(w)) w.down = '';
      // From here until the restart nobody looks again.
      w.blind = w.down !== '';
    },
    'part',
  ),
  {
    say: 'looks for `fallback`, and forgets what an earlier try saw',
    act: (w) => {
      if (w.fallback === '') return 'line';
      w.restart = false;
      return 'part';
    },
  },
  { say: 'looks whether `current` was switched', act: (w) => (w.fallback === w.current ? 'line' : 'part') },
  does('marks `restart`', (w) => void (w.restart = true)),
];

const PUT_BACK: readonly Part[] = [
  { say: 'looks for `fallback`', act: (w) => (w.fallback === '' ? 'line' : 'part') },
  {
    say: 'renames `fallback` over `current`',
    act: (w) => {
      if (w.fallback === '') return 'fails';
      change(w, 'M');
      return 'line';
    },
  },
];

const RESTART: readonly Part[] = [
  { say: 'looks for `down` and `restart`', act: (w) => (w.down !== '' || w.restart ? 'part' : 'line') },
  does(
    'removes the mark `stopped`',
    (w) => {
      w.stopped = false;
    },
    'part',
  ),
  {
    say: 'asks for a restart of the node',
    act: (w) => {
      if (w.down !== '') orderRestart(w, 'us');
      else orderTryRestart(w, 'us');
      return w.down === '' ? 'part' : 'line';
    },
  },
  {
    say: 'looks what came of it',
    act: (w) => {
      if (w.job === '' && isDown(w)) w.found = 'stopped';
      return w.found === 'stopped' ? 'part' : 'line';
    },
  },
  does('marks `stopped`', (w) => void (w.stopped = true)),
];

const UNMARK: readonly Part[] = [
  does('removes the mark `restart`', (w) => void (w.restart = false), 'part'),
  does('removes the mark `down`', (w) => void ((w.down = ''), (w.blind = false)), 'part'),
  does('removes the mark `open`', (w) => void (w.open = false)),
];

/** node-updater-revert@: command by command. */
export const REVERT: readonly Line[] = [
  {
    text: `sh -c 'systemctl stop node-updater@%i.service || case $(systemctl show -P ActiveState node-updater@%i.service) in inactive|failed) ;; *) exit 1;; esac'`,
    parts: [
      does('ends the transaction', (w) => {
        if (w.tx === 'running') w.early = w.restoring !== '' && !w.open;
        w.tx = 'idle';
        clearProcess(w);
      }),
    ],
  },
  {
    text: `sh -c 'm=/run/node-updater/%i; mkdir -p $m; [ ! -s $m/down ] || case $(systemctl show -P InvocationID %i.service) in ""|"$(cat $m/down)") ;; *) rm -f $m/down;; esac; cd /opt/%i; [ -L fallback ] || exit 0; rm -f $m/restart; [ "$(readlink fallback)" = "$(readlink current)" ] || touch $m/restart'`,
    parts: SEE,
  },
  {
    text: `sh -c 'cd /opt/%i; [ -L fallback ] || exit 0; [ -e fallback/. ] || { echo "%i cannot be put back: $(readlink fallback) is gone. Put it back into /opt/%i, or keep what runs: rm /opt/%i/fallback"; exit 1; }; mv -T fallback current && echo "%i is put back to $(readlink current)"'`,
    parts: PUT_BACK,
  },
  { text: 'sync -f /opt/%i', parts: [does('flushes /opt/demo', flushHome)] },
  {
    text: '-systemctl reset-failed %i.service',
    parts: [
      does('forgets that the node failed', (w) => {
        if (w.act === 'failed') w.act = 'inactive';
      }),
    ],
  },
  {
    text: `sh -c 'cd /run/node-updater/%i || exit 0; if [ -e down ]; then how=restart; elif [ -e restart ]; then how=try-restart; else exit 0; fi; rm -f stopped; systemctl --no-block $how %i.service || case $(systemctl show -P LoadState %i.service) in masked|not-found|bad-setting|error) exit 0;; *) exit 1;; esac; [ $how = try-restart ] || exit 0; while job=$(systemctl show -P Job %i.service) && a=$(systemctl show -P ActiveState %i.service) || exit 1; [ "$a$job" = deactivating ]; do sleep 0.2; done; case $a$job in inactive|failed) touch stopped;; esac'`,
    parts: RESTART,
  },
  {
    text: '-rm -f /run/systemd/system/%i.service.d/zzz-node-updater.conf',
    parts: [does('removes the drop-in of the probation', (w) => void (w.dropIn = false))],
  },
  { text: '-systemctl daemon-reload', parts: [does('reloads systemd', (w) => void (w.loaded = w.dropIn))] },
  { text: 'rm -f /run/node-updater/%i/restart /run/node-updater/%i/down /run/node-updater/%i/open', parts: UNMARK },
];

/** node-updater-boot@: part by part. */
export const BOOT: readonly Line[] = [
  {
    text: `-sh -c 'cd /opt/%i; if [ -e fallback/. ]; then mv -T fallback current; else echo "<3>%i boots a version that is not committed: $(readlink fallback), which it should go back to, is gone"; fi'`,
    parts: [
      { say: 'looks for `fallback`', act: (w) => (w.fallback === '' ? 'line' : 'part') },
      {
        say: 'renames `fallback` over `current`',
        act: (w) => {
          if (w.fallback !== '') change(w, 'M');
          return 'line';
        },
      },
    ],
  },
  { text: 'sync -f /opt/%i', parts: [does('flushes /opt/demo', flushHome)] },
];
