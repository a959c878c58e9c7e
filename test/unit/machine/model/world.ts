/**
 * One moment of an abstract host: what stands on its disk and on /run, what systemd is doing, and how far the programs of
 * ours have come. What is only there to be judged by (`wish`, `soaked` and so on) decides nothing.
 */
import type { ErrorCode } from '../../../../src/errors.ts';
import type { Event, State, Transaction } from '../../../../src/machine/state.ts';
import type { Version } from '../../../../src/release.ts';
import type { Book } from './book.ts';

export type V = '' | 'old' | 'new';
/** What the data is: as a version left it, as a backup of some time before holds it, or with only half of its renames done. */
export type Data = '' | 'old' | 'new' | 'then' | 'half';
export type Held = '' | 'start' | 'rests' | 'rests before';
export type Journal = '' | 'open' | 'done';

export type Asked = '' | 'upgrade' | 'rollback' | 'backup' | 'restore';

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
  // the node's data, and what is done to it; `disk…`: as it would be found after a power cut
  /** Whether the two versions understand each other's data. */
  epochs: 'same' | 'differ';
  data: Data;
  diskData: Data;
  /** What the newest backup holds: it has its name. */
  backup: Data | 'torn';
  diskBackup: Data | 'torn';
  /** A backup that has no name yet. */
  making: Data | 'torn';
  makingFlush: '' | 'contents';
  /** What the file `restoring` says of the node; `rests before`: written in an earlier boot. */
  restoring: Held;
  diskRestoring: Held;
  /** The journal of a restore; `journalOf`: whether it is of the transaction that is open. */
  journal: Journal;
  diskJournal: Journal;
  journalOf: '' | 'this' | 'another';
  /** What the journal puts in the place of the data. */
  laid: Data;
  // /run
  open: boolean;
  /** `any`: names no invocation; `same`: names the one that the node has now. */
  down: '' | 'any' | 'same' | 'stale';
  stopped: boolean;
  restart: boolean;
  dropIn: boolean;
  request: Asked;
  // systemd
  boot: number;
  /** The drop-in of the probation as systemd has loaded it. */
  loaded: boolean;
  enabled: boolean;
  /** What the disk has of that. */
  diskEnabled: boolean;
  act: 'active' | 'activating' | 'deactivating' | 'inactive' | 'failed' | 'auto';
  runs: V;
  /** `restart` turns into `start` once the node is down. */
  job: '' | 'start' | 'restart' | 'stop';
  by: 'us' | 'operator' | 'systemd' | 'boot';
  restarts: number;
  /** The process was started after the clock was noted. */
  fresh: boolean;
  sick: boolean;
  /** `told`: ended with an error when it was told to stop, which systemd's times tell from one that ended by itself. */
  result: 'success' | 'exit-code' | 'told';
  forgotten: boolean;
  // node-updater@: its unit, then its process
  tx: 'idle' | 'queued' | 'running';
  phase: '' | 'begin' | 'held' | 'gives up' | 'opened' | 'intent' | 'step' | 'result' | 'ended' | 'served';
  state: State | '';
  op: number;
  answer: Event | '';
  code: ErrorCode | '';
  failure: ErrorCode | '';
  asked: Asked;
  before: 'running' | 'down' | 'resting';
  then: '' | 'start' | 'rest';
  /** The backup room works for it; its unit ends with it. */
  room: boolean;
  wait: '' | 'pending' | 'done' | 'canceled' | 'failed' | 'no-answer';
  seen: '' | 'operator' | 'down' | 'up';
  base: number;
  /** The invocation that a mark is about to name: the node's, or one before it. */
  read: '' | 'same' | 'stale';
  /** Whether the gate judges only what was started after the clock was noted. */
  since: '' | 'noted';
  // node-updater-revert@: its unit, the line and the command in it; node-updater-boot@ likewise
  revert: 'idle' | 'queued' | 'retry' | 'running';
  line: number;
  part: number;
  found: '' | 'stopped';
  bootUnit: 'idle' | 'queued' | 'running';
  bootPart: number;
  restoreUnit: 'idle' | 'queued';
  // what is judged by
  /** `either`: he was told that a node is not started, and left it at that; or his stop could not be told from ours. */
  wish: 'run' | 'stopped' | 'either';
  everStopped: boolean;
  self: boolean;
  /** Somebody's stop could not be told from ours. */
  blind: boolean;
  /** The last run of the transaction died before it could mark `open`, or as it gave up: what is held down waits for the next. */
  early: boolean;
  evidence: boolean;
  soaked: boolean;
  blemish: boolean;
  committing: boolean;
  budget: number;
  ticks: number;
}

/** What somebody has asked for; `half-staged`: an upgrade whose version was staged by a run that died before its last flush. */
export const SCENARIOS = ['upgrade', 'half-staged', 'install', 'rollback'] as const;
/**
 * The same about data; `…-resting`: of a node that its operator has stopped before. `held`: nobody asks, nothing is open, and a
 * boot has brought back the file `restoring` of a restore that has ended; `held-resting`: that says so of a node in the boot it rests in.
 */
export const DATA_SCENARIOS = [
  'backed-up upgrade',
  'epoch',
  'epoch without backup',
  'backup',
  'backup-resting',
  'restore',
  'restore-resting',
  'restore of the version before',
  'held',
  'held-resting',
] as const;
export type Scenario = (typeof SCENARIOS)[number] | (typeof DATA_SCENARIOS)[number];

interface Setting {
  /** What was committed before, the latest last: a rollback goes to the one before. */
  readonly history: readonly V[];
  readonly request: Asked;
  readonly world?: Partial<World>;
}

const STAGED = { staged: 'good', stagedFlush: 'all' } as const;
const RESTING = { act: 'inactive', runs: '', wish: 'stopped', everStopped: true } as const;
const DATA = { data: 'old', diskData: 'old' } as const;
const BACKUP = { backup: 'then', diskBackup: 'then' } as const;

/** As the boot finds it. */
const HELD = {
  act: 'inactive',
  runs: '',
  tx: 'idle',
  job: 'start',
  bootUnit: 'queued',
  restoreUnit: 'queued',
} as const;

const SETTINGS: Readonly<Record<Scenario, Setting>> = {
  upgrade: { history: ['old'], request: 'upgrade' },
  'half-staged': { history: ['old'], request: 'upgrade', world: { staged: 'good', stagedFlush: 'contents' } },
  install: { history: [], request: 'upgrade' },
  rollback: { history: ['old', 'new'], request: 'rollback', world: STAGED },
  'backed-up upgrade': { history: ['old'], request: 'upgrade', world: DATA },
  epoch: { history: ['old'], request: 'upgrade', world: { ...DATA, epochs: 'differ' } },
  'epoch without backup': { history: ['old'], request: 'upgrade', world: { ...DATA, epochs: 'differ' } },
  backup: { history: ['old'], request: 'backup', world: DATA },
  'backup-resting': { history: ['old'], request: 'backup', world: { ...DATA, ...RESTING } },
  restore: { history: ['old'], request: 'restore', world: { ...DATA, ...BACKUP } },
  'restore-resting': { history: ['old'], request: 'restore', world: { ...DATA, ...BACKUP, ...RESTING } },
  'restore of the version before': {
    history: ['old', 'new'],
    request: 'restore',
    world: { ...STAGED, data: 'new', diskData: 'new', backup: 'old', diskBackup: 'old', epochs: 'differ' },
  },
  held: { history: ['old'], request: '', world: { ...DATA, ...HELD, restoring: 'start', diskRestoring: 'start' } },
  'held-resting': {
    history: ['old'],
    request: '',
    world: { ...DATA, ...RESTING, restoring: 'rests', diskRestoring: 'rests' },
  },
};

/** The host before anything happens: a version is committed and runs, and somebody has asked for something. */
export function firstWorld(scenario: Scenario, budget: number, book: Book): World {
  const { history, request, world } = SETTINGS[scenario];
  const current = history.at(-1) ?? '';
  return {
    ...{ current, fallback: '', diskCurrent: current, diskFallback: '', unflushed: '' },
    ...{ staged: '', stagedFlush: '', copy: '', litter: false, ledger: 0, ledgerFlushed: 0 },
    ...{ epochs: 'same', data: '', diskData: '', backup: '', diskBackup: '', making: '', makingFlush: '' },
    ...{ restoring: '', diskRestoring: '', journal: '', diskJournal: '', journalOf: '', laid: '' },
    ...{ open: false, down: '', stopped: false, restart: false, dropIn: false, request },
    ...{ boot: 0, loaded: false, enabled: current !== '', diskEnabled: current !== '' },
    ...{ act: current === '' ? 'inactive' : 'active', runs: current, job: '', by: 'boot' },
    ...{ restarts: 0, fresh: false, sick: false, result: 'success', forgotten: false },
    ...{ tx: 'queued', phase: '', state: '', op: 0, answer: '', code: '', failure: '', asked: '' },
    ...{ before: 'running', then: '', room: false, wait: '', seen: '', read: '', base: 0, since: '' },
    ...{ revert: 'idle', line: 0, part: 0, found: '', bootUnit: 'idle', bootPart: 0, restoreUnit: 'idle' },
    ...{ wish: 'run', everStopped: false, self: false, blind: false, early: false, evidence: false, soaked: false },
    ...{ blemish: false, committing: false, budget, ticks: 0 },
    ...world,
    ...ledgerOf(history, book),
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
  w.then = '';
  w.room = false;
  w.making = '';
  w.makingFlush = '';
  w.wait = '';
  w.seen = '';
  w.read = '';
  w.base = 0;
  w.since = '';
  w.fresh = false;
}

/** What tells one world from another; all are made from one, so their fields stand in the same order. */
export function keyOf(w: World): string {
  return Object.values(w).join();
}
