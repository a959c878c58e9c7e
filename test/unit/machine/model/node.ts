/** The node's unit as systemd runs it: its jobs, its exits, its start-ups. One call is one step of systemd. */
import type { UnitFacts } from '../../../../src/host/ports.ts';
import type { World } from './world.ts';

export const UNIT = 'demo.service';
/** The clock is noted at 1: what was started after it says 2. */
export const NOTED = 1n;

/** What the gate would read now. */
export function factsOf(w: World): UnitFacts {
  return {
    ...{ unit: UNIT, loadState: 'loaded', unitFileState: 'enabled', fragmentPath: '', dropInPaths: [] },
    activeState: w.act === 'auto' ? 'activating' : w.act,
    subState: w.act === 'auto' ? 'auto-restart' : w.act === 'active' ? 'running' : w.act,
    ...{ invocationId: '1', triggeredBy: [], needDaemonReload: false, refusesManual: false },
    job: w.job === '' ? 0 : 1,
    service: {
      ...{
        type: 'exec',
        result: w.result === 'success' ? w.result : 'exit-code',
        nRestarts: w.restarts,
        mainPid: 1,
        execMainStatus: 0,
        execMainCode: 0,
      },
      execMainStartMonotonic: w.fresh ? NOTED + 1n : 0n,
      execMainExitMonotonic: NOTED + 3n,
      activeExitMonotonic: w.result === 'told' ? NOTED + 2n : NOTED + 3n,
      restart: w.loaded ? 'always' : 'on-failure',
      ...{ restartUsec: 0n, timeoutStopUsec: 0n, user: '', execStart: [], startLimitIntervalUsec: 0n },
    },
  };
}

export function isDown(w: World): boolean {
  return w.act === 'inactive' || w.act === 'failed';
}

type Who = World['by'];

/** `systemctl start`: also on a node that runs it pulls in what the node wants. */
export function orderStart(w: World, by: Who): void {
  pullBoot(w);
  // One that waits for its restart is started by that.
  if (w.job === '' && !isDown(w) && w.act !== 'deactivating') return;
  if (w.job === '' || w.job === 'stop') order(w, 'start', by);
}

/** `systemctl restart`: a node that is down is started. */
export function orderRestart(w: World, by: Who): void {
  pullBoot(w);
  if (w.job === 'restart') return;
  order(w, isDown(w) ? 'start' : 'restart', by);
}

/** Nothing to do for a node that is down or on its way there. */
export function orderTryRestart(w: World, by: Who): 'ordered' | 'nothing' {
  if (isDown(w) || w.act === 'deactivating') return 'nothing';
  orderRestart(w, by);
  return 'ordered';
}

export function orderStop(w: World, by: Who): void {
  if (w.job !== '') resolve(w, 'canceled');
  if (isDown(w)) {
    w.job = '';
    return;
  }
  order(w, 'stop', by);
}

function order(w: World, job: World['job'], by: Who): void {
  if (w.job !== '') resolve(w, 'canceled');
  w.job = job;
  w.by = by;
  // Systemd acts on a job at once, in practice before it reads the next call.
  if (job !== 'start' && (w.act === 'active' || w.act === 'activating')) {
    w.result = w.act === 'active' ? 'told' : 'success';
    w.act = 'deactivating';
  } else if (w.act === 'auto') ended(w, 'inactive');
}

/** The drop-in of the node wants two units. */
function pullBoot(w: World): void {
  if (w.bootUnit === 'idle') w.bootUnit = 'queued';
  if (w.restoring !== '') w.restoreUnit = 'queued';
}

/** Tells who waits for the job. */
function resolve(w: World, result: 'done' | 'canceled' | 'failed'): void {
  w.job = '';
  if (w.wait === 'pending') w.wait = result;
}

/** The next step of systemd for this unit: what it does and does it; undefined when it has nothing to do. */
export function advance(w: World, sulky: boolean): string | undefined {
  if (w.job === 'stop' || w.job === 'restart') return stopping(w, sulky);
  if (w.job === 'start') return starting(w);
  if (w.act === 'auto') {
    w.job = 'start';
    w.by = 'systemd';
    pullBoot(w);
    return 'starts the node again after its exit';
  }
  return undefined;
}

function stopping(w: World, sulky: boolean): string | undefined {
  if (w.act === 'deactivating') {
    if (!sulky) w.result = 'success';
    else if (w.result !== 'told') w.result = 'exit-code';
    ended(w, sulky ? 'failed' : 'inactive');
  } else if (w.job === 'restart') w.job = 'start';
  else resolve(w, 'done');
  return 'sees the node down';
}

function ended(w: World, act: 'inactive' | 'failed'): void {
  w.act = act;
  w.runs = '';
  w.sick = false;
  if (w.job === 'restart') w.job = 'start';
  else if (w.job === 'stop') resolve(w, 'done');
}

function starting(w: World): string | undefined {
  if (w.act === 'activating') {
    if (w.sick) return undefined;
    w.act = 'active';
    resolve(w, 'done');
    return `sees ${w.runs} come up`;
  }
  if (w.act === 'deactivating') {
    w.job = 'restart';
    return 'waits for the node to end first';
  }
  if (w.act === 'active') {
    resolve(w, 'done');
    return 'finds the node up';
  }
  // Ordered after node-updater-boot@ and the backup room.
  if (w.bootUnit !== 'idle' || w.room) return undefined;
  if (w.restoring !== '') return refuse(w);
  return spawn(w);
}

/** `AssertPathExists=!` of the node's drop-in: who typed the start of a node that he had stopped is told so. */
function refuse(w: World): string {
  w.act = 'inactive';
  if (w.by === 'operator' && w.everStopped) w.wish = 'either';
  // Started as the restore began, and ended by itself at once: what is to become of it was decided before.
  if (w.by === 'systemd' && w.restoring === 'rests') w.wish = 'either';
  resolve(w, 'failed');
  return 'does not start a node whose data is being restored';
}

function spawn(w: World): string {
  w.self = false;
  w.forgotten = false;
  if (w.current === '') {
    w.act = 'failed';
    resolve(w, 'failed');
    return 'finds no program to start';
  }
  w.restarts = w.by === 'systemd' ? Math.min(2, w.restarts + 1) : 0;
  w.runs = w.current;
  w.act = 'activating';
  w.fresh = true;
  w.result = 'success';
  if (w.revert !== 'running' && !isStoppedByUs(w)) w.blind = false;
  if (w.down === 'same') w.down = 'stale';
  if (w.read === 'same') w.read = 'stale';
  // It moves the data on to its own epoch.
  if (w.epochs === 'differ' && w.runs === 'new' && w.data === 'old') Object.assign(w, { data: 'new', diskData: 'new' });
  return `starts ${w.runs}`;
}

/** Whoever starts it meanwhile: it is stopped for its data, and is to be started again in any case. */
function isStoppedByUs(w: World): boolean {
  const stops = w.phase === 'held' || w.state === 'stop' || w.state === 'restore' || w.state === 'go-back';
  return w.by !== 'us' && w.tx === 'running' && (stops || w.before === 'down');
}

/** The node ends by itself. */
export function exits(w: World, how: 'crash' | 'quit'): void {
  w.result = how === 'crash' ? 'exit-code' : 'success';
  const again = w.loaded || how === 'crash';
  w.runs = '';
  w.sick = false;
  if (w.job === 'stop' || w.job === 'restart') {
    w.act = 'deactivating';
    return;
  }
  if (w.job === 'start') resolve(w, 'failed');
  w.act = again ? 'auto' : 'inactive';
  w.self = !again;
}
