/** Worlds in the middle of a transaction, for each step: what the model's does in them, the real one must do. */
import type { Transaction, Working } from '../../../../src/machine/state.ts';
import { v } from '../support.ts';
import type { World } from './world.ts';

const ARMED = {
  current: 'new',
  fallback: 'old',
  runs: 'new',
  fresh: true,
  open: true,
  dropIn: true,
  loaded: true,
} as const;
const BACK = { open: false, dropIn: true, loaded: true } as const;

interface Case {
  readonly state: Working;
  readonly of: string;
  readonly at: Partial<World>;
  readonly as?: Partial<Transaction>;
}

export const DOWN = { act: 'inactive', runs: '' } as const;
const WHOLE = { data: 'old', backup: 'then' } as const;
const RESTORE = { action: 'restore', way: 'forward', restore: 'b', to: v('old') } as const;

export const STEPS: readonly Case[] = [
  { state: 'stop', of: 'a node that runs', at: { ...ARMED, current: 'old', runs: 'old' } },
  { state: 'stop', of: 'a node that its operator has stopped', at: { ...ARMED, current: 'old', ...DOWN } },
  { state: 'stop', of: 'a node that its operator is stopping', at: { ...ARMED, act: 'deactivating', job: 'stop' } },
  { state: 'backup', of: 'a node that is down', at: { ...ARMED, ...DOWN, ...WHOLE } },
  { state: 'arm', of: 'a version without a way back', at: {}, as: { way: 'forward' } },
  { state: 'restore', of: 'a node that runs', at: { ...ARMED, ...WHOLE, fallback: '', current: 'old' }, as: RESTORE },
  {
    state: 'restore',
    of: 'a node that its operator has stopped',
    at: { ...ARMED, ...WHOLE, ...DOWN, fallback: '', current: 'old' },
    as: RESTORE,
  },
  {
    state: 'restore',
    of: 'a backup that is not there',
    at: { ...ARMED, data: 'old', fallback: '', current: 'old' },
    as: RESTORE,
  },
  { state: 'resume', of: 'a node that runs', at: { ...ARMED, fallback: '', open: false }, as: { way: 'forward' } },
  { state: 'resume', of: 'a node that is stopped', at: { ...ARMED, ...DOWN, fallback: '' }, as: { way: 'forward' } },
  {
    state: 'resume',
    of: 'a node that answered its stop with an error',
    at: { ...ARMED, act: 'failed', runs: '', result: 'told', fallback: '' },
    as: { way: 'forward' },
  },
  {
    state: 'resume',
    of: 'a node that is between the halves of a restart',
    at: { ...ARMED, act: 'failed', runs: '', job: 'start', result: 'exit-code', fallback: '' },
    as: { way: 'forward' },
  },
  {
    state: 'resume',
    of: 'a node that has failed',
    at: { ...ARMED, act: 'failed', runs: '', fallback: '' },
    as: { way: 'forward' },
  },
  {
    state: 'go-back',
    of: 'a version without a way back whose data cannot be put back',
    at: { ...ARMED, fallback: '' },
    as: { way: 'forward', data: { epoch: 1, rollback: 'never' } },
  },
  { state: 'arm', of: 'a node that runs', at: {} },
  { state: 'arm', of: 'a node that is armed already', at: { fallback: 'old' } },
  { state: 'arm', of: 'a link that somebody changed', at: { current: 'new' } },
  { state: 'activate', of: 'a node that is armed', at: { ...ARMED, current: 'old' } },
  { state: 'start', of: 'a node that runs', at: { ...ARMED, runs: 'old', fresh: false } },
  { state: 'start', of: 'a node that is down', at: { ...ARMED, before: 'down', act: 'failed', runs: '' } },
  { state: 'start', of: 'a node that its operator has stopped', at: { ...ARMED, act: 'inactive', runs: '' } },
  {
    state: 'start',
    of: 'a node that had exited before its operator stopped it',
    at: { ...ARMED, act: 'inactive', runs: '', restarts: 1 },
  },
  { state: 'commit', of: 'a node that holds', at: ARMED },
  { state: 'commit', of: 'a node that has exited', at: { ...ARMED, restarts: 1 } },
  { state: 'commit', of: 'a node that waits for its restart', at: { ...ARMED, act: 'auto', runs: '' } },
  { state: 'commit', of: 'a node that is on its way down', at: { ...ARMED, act: 'deactivating', job: 'stop' } },
  { state: 'commit', of: 'a node that its operator has stopped', at: { ...ARMED, act: 'inactive', runs: '' } },
  { state: 'commit', of: 'a link that somebody changed', at: { ...ARMED, current: 'old' } },
  { state: 'clean', of: 'a node on probation', at: { ...ARMED, fallback: '' } },
  { state: 'clean', of: 'a node that is not', at: { ...ARMED, fallback: '', dropIn: false, loaded: false } },
  { state: 'withdraw', of: 'a node on probation', at: { ...BACK, act: 'inactive', runs: '' } },
  { state: 'settle', of: 'a node that revert@ has not put back', at: ARMED },
  { state: 'settle', of: 'a node that revert@ is not done with', at: { ...BACK, open: true } },
  { state: 'settle', of: 'a host that has booted', at: { current: 'old', fallback: 'old' } },
  { state: 'settle', of: 'a node that was put back', at: BACK },
  { state: 'settle', of: 'a node that was committed', at: { ...ARMED, fallback: '', open: false } },
  { state: 'gate-old', of: 'a node that runs', at: BACK },
  { state: 'gate-old', of: 'a node that was stopped', at: { ...BACK, stopped: true, act: 'inactive', runs: '' } },
  {
    state: 'gate-old',
    of: 'a node that its operator restarts',
    at: { ...BACK, stopped: true, act: 'inactive', job: 'start' },
  },
  { state: 'gate-old', of: 'a node that nobody stopped', at: { ...BACK, act: 'inactive', runs: '' } },
  { state: 'gate-old', of: 'a node that has exited', at: { ...BACK, act: 'auto', runs: '' } },
];
