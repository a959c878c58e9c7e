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
  'stop',
  'backup',
  'activate',
  'start',
  'soak',
  'commit',
  'clean',
  'prune',
  'settle',
  'withdraw',
  'gate-old',
  'resume',
  'restore',
  'go-back',
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
  /** The node was stopped by its operator before all this, and stays so. */
  'resting',
  /** arm: the data is backed up first, and must be quiet for that. */
  'backup',
  /** arm: a backup is to be put back. */
  'restore',
  /** A version without a way back has failed its gate. */
  'stranded',
  /** restore: the backup cannot be put back; all is as it was. */
  'refused',
  /** restore, go-back: not done, and the node is held down until it is. */
  'later',
  /** resume: the updater went down too often to prove the version. */
  'unproven',
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
  /** settle: a version without a way back runs, and is not proven yet. */
  'forward',
  /** settle: a restore that its operator asked for was not finished. */
  'restoring',
  /** settle: the way back of a version that was stranded was not finished, or is what its operator asks for. */
  'going-back',
] as const;

export type Event = (typeof EVENTS)[number];

/**
 * `drill`: an upgrade to a copy that was made to fail, to be put back. `backup`: a restart of the version that runs, with a
 * backup of its data in between. `restore`: a backup put back, and a restart, perhaps into another version.
 */
export type Action = 'install' | 'upgrade' | 'rollback' | 'drill' | 'backup' | 'restore';

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
  /**
   * No `fallback` is made, since the version before could not run on the data that this one leaves; a failed gate restores
   * the backup (DESIGN.md section 6).
   */
  readonly way?: 'forward';
  /** The data is backed up between stop and start. */
  readonly backup?: 'first';
  /** The backup that is put back. */
  readonly restore?: string;
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
