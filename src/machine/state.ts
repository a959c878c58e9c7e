import type { ErrorCode } from '../errors.ts';
import type { Artifact, DataFormat } from '../manifest.ts';
import type { Force } from '../orders.ts';
import type { Digest, Version } from '../release.ts';

/** What a transaction is doing. Each working state has exactly one step of the same name (machine/steps.ts). */
export const WORKING = [
  'fetch',
  'verify',
  'stage',
  'preflight',
  'arm',
  'activate',
  'start',
  'soak',
  'commit',
  'clean',
  'prune',
  'settle',
  'withdraw',
  'gate-old',
] as const;

/**
 * How a process leaves a transaction. `yield` is no end of the transaction: the process exits, systemd runs revert@,
 * and the next run settles.
 */
export const RESTING = ['yield'] as const;

/** How a transaction ends. */
export const OUTCOMES = ['committed', 'unchanged', 'rolled-back', 'rollback-failed', 'stopped-by-operator'] as const;

export type Working = (typeof WORKING)[number];
export type Outcome = (typeof OUTCOMES)[number];
export type State = Working | (typeof RESTING)[number] | Outcome;

/** What a step can answer. */
export const EVENTS = [
  'ok',
  /** It did not work; the result carries the error. */
  'failed',
  /** The operator stopped the node in between: the operator wins. */
  'operator',
  /** settle: nothing had been armed yet. */
  'untouched',
  /** settle: `current` is the candidate and nothing is armed: the commit had happened. */
  'committed',
  /** settle: systemd has put the old version back. */
  'put-back',
  /** settle: `fallback` is still there, or revert@ has not finished. */
  'armed',
  /** settle: a first installation that was not committed. */
  'uncommitted',
] as const;

export type Event = (typeof EVENTS)[number];

/** `drill`: an upgrade to a copy that was made to fail, to be put back. */
export type Action = 'install' | 'upgrade' | 'rollback' | 'drill';

/** What a transaction is about, fixed when it opens. */
export interface Transaction {
  readonly id: string;
  readonly action: Action;
  /** The committed version when it opened; absent for a first installation. */
  readonly from?: Version;
  readonly to: Version;
  /** Absent for a rollback: what is staged is used. */
  readonly artifact?: Artifact;
  /** SHA-256 of the archive that `to` is unpacked from. */
  readonly digest?: Digest;
  readonly serial?: number;
  /** What the release says of its data; absent for a rollback, and in ledgers that are older than this. */
  readonly data?: DataFormat;
  /** What its operator overruled. */
  readonly forced?: readonly Force[];
  /** The request that asked for it, if one did. */
  readonly request?: string;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

export function isWorking(state: State): state is Working {
  return (WORKING as readonly State[]).includes(state);
}

export function isOutcome(state: State): state is Outcome {
  return (OUTCOMES as readonly State[]).includes(state);
}
