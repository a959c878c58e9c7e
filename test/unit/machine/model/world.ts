/**
 * One moment of an abstract host: what stands on its disk and on /run, what systemd is doing, and how far the programs of
 * ours have come. What is only there to be judged by (`wish`, `soaked` and so on) decides nothing.
 */
import type { ErrorCode } from '../../../../src/errors.ts';
import type { Event, State, Transaction } from '../../../../src/machine/state.ts';
import type { Version } from '../../../../src/release.ts';
import type { Book } from './book.ts';

export type V = '' | 'old' | 'new';

export interface World {
  // /opt/NODE as a program sees it; as it would be found after a power cut; and what was done to it since, not flushed
  current: V;
  fallback: V;
  diskCurrent: V;
  diskFallback: V;
  /** One letter for each change: see `disk.ts`. */
  unflushed: string;
  /** versions/new: not there, complete and verified, complete but never verified, or with contents that a power cut ate. */
  staged: '' | 'good' | 'bad' | 'torn';
  stagedFlush: '' | 'contents' | 'all';
  copy: '' | 'good' | 'bad';
  /** A temporary link or a staging directory. */
  litter: boolean;
  ledger: number;
  ledgerFlushed: number;
  // /run
  open: boolean;
  /** `same`: names the invocation that the node has now. */
  down: '' | 'same' | 'stale';
  stopped: boolean;
  restart: boolean;
  dropIn: boolean;
  request: '' | 'upgrade' | 'rollback';
  // systemd
  boot: number;
  /** The drop-in of the probation as systemd has loaded it. */
  loaded: boolean;
  enabled: boolean;
  act: 'active' | 'activating' | 'deactivating' | 'inactive' | 'failed' | 'auto';
  runs: V;
  /** `restart` turns into `start` once the node is down. */
  job: '' | 'start' | 'restart' | 'stop';
  by: 'us' | 'operator' | 'systemd' | 'boot';
  restarts: number;
  /** The process was started after the clock was noted. */
  fresh: boolean;
  sick: boolean;
  result: 'success' | 'exit-code';
  forgotten: boolean;
  // node-updater@: its unit, then its process
  tx: 'idle' | 'queued' | 'running';
  phase: '' | 'begin' | 'opened' | 'intent' | 'step' | 'result' | 'ended' | 'served';
  state: State | '';
  op: number;
  answer: Event | '';
  code: ErrorCode | '';
  failure: ErrorCode | '';
  asked: '' | 'upgrade' | 'rollback';
  before: 'running' | 'down';
  wait: '' | 'pending' | 'done' | 'canceled' | 'failed' | 'no-answer';
  seen: '' | 'operator' | 'down' | 'up';
  base: number;
  // node-updater-revert@: its unit, the line and the command in it; node-updater-boot@ likewise
  revert: 'idle' | 'queued' | 'retry' | 'running';
  line: number;
  part: number;
  found: '' | 'stopped';
  bootUnit: 'idle' | 'queued' | 'running';
  bootPart: number;
  // what is judged by
  wish: 'run' | 'stopped';
  everStopped: boolean;
  self: boolean;
  evidence: boolean;
  soaked: boolean;
  blemish: boolean;
  committing: boolean;
  budget: number;
  ticks: number;
}

/** What somebody has asked for; `half-staged`: an upgrade whose version was staged by a run that died before its last flush. */
export const SCENARIOS = ['upgrade', 'half-staged', 'install', 'rollback'] as const;
export type Scenario = (typeof SCENARIOS)[number];

/** What was committed before, the latest last: a rollback goes to the one before. */
const HISTORY: Readonly<Record<Scenario, readonly V[]>> = {
  upgrade: ['old'],
  'half-staged': ['old'],
  install: [],
  rollback: ['old', 'new'],
};

/** The host before anything happens: a version is committed and runs, and somebody has asked for another one. */
export function firstWorld(scenario: Scenario, budget: number, book: Book): World {
  const current = HISTORY[scenario].at(-1) ?? '';
  return {
    ...{ current, fallback: '', diskCurrent: current, diskFallback: '', unflushed: '' },
    ...{ staged: '', stagedFlush: '', copy: '', litter: false, ledger: 0, ledgerFlushed: 0 },
    ...{ open: false, down: '', stopped: false, restart: false, dropIn: false },
    request: scenario === 'rollback' ? 'rollback' : 'upgrade',
    ...{ boot: 0, loaded: false, enabled: current !== '' },
    ...{ act: current === '' ? 'inactive' : 'active', runs: current, job: '', by: 'boot' },
    ...{ restarts: 0, fresh: false, sick: false, result: 'success', forgotten: false },
    ...{ tx: 'queued', phase: '', state: '', op: 0, answer: '', code: '', failure: '', asked: '' },
    ...{ before: 'running', wait: '', seen: '', base: 0 },
    ...{ revert: 'idle', line: 0, part: 0, found: '', bootUnit: 'idle', bootPart: 0 },
    ...{ wish: 'run', everStopped: false, self: false, evidence: false, soaked: false },
    ...{ blemish: false, committing: false, budget, ticks: 0 },
    ...(scenario === 'rollback' ? { staged: 'good', stagedFlush: 'all' } : {}),
    ...(scenario === 'half-staged' ? { staged: 'good', stagedFlush: 'contents' } : {}),
    ...ledgerOf(HISTORY[scenario], book),
  };
}

function ledgerOf(versions: readonly V[], book: Book): Pick<World, 'ledger' | 'ledgerFlushed'> {
  let ledger = 0;
  for (const [at, to] of versions.entries()) {
    const tx = `h${at}`;
    const from = versions[at - 1];
    const transaction: Transaction = {
      ...{ id: tx, action: from === undefined ? 'install' : 'upgrade', to: to as Version },
      ...(from === undefined ? {} : { from: from as Version }),
    };
    ledger = book.append(ledger, { kind: 'opened', transaction }, 0);
    ledger = book.append(ledger, { kind: 'ended', tx, outcome: 'committed' }, 0);
  }
  return { ledger, ledgerFlushed: ledger };
}

/** What a process of the transaction held in its memory goes with it. */
export function clearProcess(w: World): void {
  w.phase = '';
  w.state = '';
  w.op = 0;
  w.answer = '';
  w.code = '';
  w.failure = '';
  w.asked = '';
  w.before = 'running';
  w.wait = '';
  w.seen = '';
  w.base = 0;
  w.fresh = false;
}

/** What tells one world from another; all are made from one, so their fields stand in the same order. */
export function keyOf(w: World): string {
  return Object.values(w).join();
}
