/**
 * What crosses from one room to another, as files under /run/node-updater/NODE (DESIGN.md section 7). The reader of a
 * file never trusts its writer: it checks the shape again.
 */
import type { BackupSettings, FetchSettings, Probe, VersionProbe } from './settings.ts';
import type { Version } from './release.ts';

/** request.json: who types a command, or the timer, asks the transaction unit for a run. Made exclusively. */
export type Request = {
  readonly schema: 1;
  /** Random; the ledger's records of this run carry it, so that the asker can follow. */
  readonly id: string;
  /** Clock.now() and boot id when it was asked: a request of an earlier boot is dropped. */
  readonly asked: number;
  readonly bootId: string;
} & RequestKind;

export type RequestKind =
  | { readonly kind: 'run' }
  | { readonly kind: 'check' }
  | { readonly kind: 'upgrade'; readonly to?: Version; readonly force: readonly Force[] }
  | { readonly kind: 'rollback'; readonly to?: Version; readonly force?: readonly Force[] }
  | { readonly kind: 'drill' }
  /** A clean copy of a version, fetched and staged; nothing is activated. */
  | { readonly kind: 'restage'; readonly version: Version }
  /** `keep` overrules `keep_versions`. */
  | { readonly kind: 'prune'; readonly keep?: number }
  /** The node's data: a backup of it, and one put back; the node is down meanwhile. */
  | { readonly kind: 'backup' }
  | { readonly kind: 'restore'; readonly backup: string; readonly to?: Version };

/** Which refusals the operator overrules by name. */
export type Force = 'quarantine' | 'rollout' | 'downgrade' | 'unhealthy' | 'epoch' | 'damaged';

/** fetch.json: the transaction tells the fetch room what to bring, all into /var/cache/node-updater/NODE. */
export interface FetchOrder {
  readonly schema: 1;
  readonly id: string;
  readonly files: readonly FetchFile[];
  readonly insecureHttp: boolean;
  readonly settings: FetchSettings;
  /** Names to leave in the cache directory besides `files`; all others are removed first. Absent: nothing is removed. */
  readonly keep?: readonly string[];
}

export interface FetchFile {
  /** Name in the cache directory: one safe path component. */
  readonly name: string;
  /** Absolute URLs, tried in order. */
  readonly urls: readonly string[];
  /** Most bytes to accept; for an archive its signed size. */
  readonly limit: number;
  /** Answer 304 to this is welcome: the file is already known. */
  readonly etag?: string;
  /** `expected`: that no server has it is an answer, and no failure. */
  readonly absence?: 'expected';
  /**
   * What is signed of it. The fetch room chooses between mirrors by it, and does not fetch what is there already; whoever
   * ordered the file checks it again, on a copy of its own.
   */
  readonly signed?: { readonly size: number; readonly sha256: string };
}

/** /var/cache/node-updater/NODE/fetch-report.json: believed for wording and retry only, never for trust. */
export interface FetchReport {
  readonly schema: 1;
  /** The order's id: a report of another order is stale. */
  readonly id: string;
  readonly files: readonly FetchFileReport[];
}

export type FetchFileReport =
  | {
      readonly name: string;
      readonly outcome: 'fetched';
      readonly url: string;
      readonly bytes: number;
      readonly etag?: string;
    }
  | { readonly name: string; readonly outcome: 'not-modified'; readonly url: string }
  /** Where absence was expected: each server said that it has no such file. */
  | { readonly name: string; readonly outcome: 'absent' }
  | {
      readonly name: string;
      readonly outcome: 'failed';
      readonly code: string;
      readonly message: string;
      /** Milliseconds that a server asked to be left alone for; at most a day. */
      readonly retryAfter?: number;
    };

/** probe.json: the transaction tells the probe room what to ask. The answers are lines on the room's stdout. */
export type ProbeOrder =
  | {
      readonly schema: 1;
      readonly id: string;
      readonly kind: 'version';
      /** Absolute path of the binary inside a version directory. */
      readonly program: string;
      readonly version: VersionProbe;
      readonly timeout: number;
    }
  | {
      /** Rounds of probes until the unit is stopped. */
      readonly schema: 1;
      readonly id: string;
      readonly kind: 'rounds';
      readonly probes: readonly Probe[];
      readonly interval: number;
      readonly timeout: number;
    };

/** One line of probe-report.jsonl. */
export type ProbeLine =
  | { readonly id: string; readonly kind: 'version'; readonly version: string }
  | {
      readonly id: string;
      readonly kind: 'version-failed';
      /** `program`: it could not be run, or ended badly. `pattern`: it ran well, and the pattern found no version. */
      readonly reason: 'program' | 'pattern';
      readonly message: string;
    }
  | {
      readonly id: string;
      readonly kind: 'round';
      readonly round: number;
      /** CLOCK_MONOTONIC in microseconds at the start of the round, as decimal text. */
      readonly at: string;
      /** Empty when every probe held. */
      readonly failures: readonly string[];
    };

/** backup.json: the transaction tells the backup room what to do with the node's data. */
export type BackupOrder = {
  readonly schema: 1;
  readonly id: string;
  readonly settings: BackupSettings;
} & BackupWork;

export type BackupWork =
  /** Before the stop. */
  | { readonly kind: 'estimate' }
  /** The caller holds the node down during `create`, and during `restore` until it has succeeded. */
  | { readonly kind: 'create'; readonly reason: string; readonly from?: Version; readonly epoch?: number }
  | { readonly kind: 'restore'; readonly backup: string; readonly restore: string }
  /** Restores that were interrupted between their renames. */
  | { readonly kind: 'finish' }
  /** Before the stop: whether it is whole, and nothing stands in the way of a restore of it. */
  | { readonly kind: 'verify'; readonly backup: string }
  /** With the node up again. */
  | { readonly kind: 'seal'; readonly backup: string }
  | { readonly kind: 'prune'; readonly needed: readonly string[] }
  | { readonly kind: 'drop'; readonly restore: string };

/** Hours of work on a large node, which a node that exits meanwhile must not wait for: units/node-updater-tend@.service. */
const NODE_UP: readonly BackupWork['kind'][] = ['estimate', 'verify', 'seal', 'prune', 'drop'];

export function isForNodeUp({ kind }: Pick<BackupWork, 'kind'>): boolean {
  return NODE_UP.includes(kind);
}

/** The line of backup-report.jsonl: how the work ended. */
export type BackupLine =
  | { readonly id: string; readonly kind: 'done'; readonly result: BackupResult }
  | {
      readonly id: string;
      readonly kind: 'failed';
      readonly code: string;
      readonly message: string;
      readonly remedy: string;
    };

export type BackupResult =
  | { readonly kind: 'estimate'; readonly estimate: BackupEstimate }
  | { readonly kind: 'create'; readonly backup: string; readonly bytes: number; readonly took: number }
  | { readonly kind: 'restore'; readonly backup: string; readonly before: readonly string[] }
  | { readonly kind: 'finish'; readonly restores: readonly string[] }
  | { readonly kind: 'seal' }
  | { readonly kind: 'verify' }
  | { readonly kind: 'prune'; readonly removed: readonly string[]; readonly warnings: readonly string[] }
  | { readonly kind: 'drop' };

/** What a backup would hold and take, in bytes on the disk and seconds of a node that is down. */
export interface BackupEstimate {
  readonly bytes: number;
  readonly entries: number;
  readonly seconds: number;
  readonly paths: readonly {
    readonly path: string;
    readonly method: 'snapshot' | 'reflink' | 'copy';
    readonly bytes: number;
    readonly entries: number;
    readonly excluded: number;
    readonly special: number;
    readonly boundary: number;
  }[];
}
