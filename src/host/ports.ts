/**
 * What the rest of the program may ask of the host: types only. main.ts makes the real ones and passes them in.
 * A port hides a library or a durability rule, never a plain function of node:fs.
 */

/** Of a file; in pieces where all of it at once would be too much. */
export type Content = string | Uint8Array | Iterable<string>;

/** Durable changes to the disk: each call has reached the disk when it returns. Errors are UpdaterError DISK_*. */
export interface Files {
  /** Writes a sibling temporary file, fsyncs it, renames it over `path`, fsyncs the directory. */
  replace(path: string, bytes: Content, mode: number): Promise<void>;
  /** Writes a small file (0644) in place, without a temporary one and not flushed: for the marks on /run. */
  mark(path: string, text: string): Promise<void>;
  /** Appends to a file (made with `mode` if missing) and fsyncs it, and the directory when it was made. */
  append(path: string, bytes: string, mode: number): Promise<void>;
  /** Cuts a file to `size` bytes and fsyncs it. */
  truncate(path: string, size: number): Promise<void>;
  /** Makes a symbolic link that must not exist yet, and fsyncs its directory. */
  symlink(text: string, path: string): Promise<void>;
  /** rename(2) within one file system, then fsync of the target's directory. */
  rename(from: string, to: string): Promise<void>;
  /** Makes `path` a symbolic link in one rename(2) from a sibling temporary link, then fsyncs its directory. */
  switchLink(text: string, path: string): Promise<void>;
  /** Removes a file or link if it is there, and fsyncs its directory. */
  remove(path: string): Promise<void>;
  /** Makes a directory and its missing parents, and fsyncs the parents. */
  makeDirectory(path: string, mode: number): Promise<void>;
  /** Removes a tree if it is there. */
  removeTree(path: string): Promise<void>;
  /** Removes what a death in `replace` or `switchLink` left in a directory, for the names that are `ours`. */
  sweep(directory: string, ours: (name: string) => boolean): Promise<void>;
  /** Flushes a directory: the names in it. */
  flushDirectory(path: string): Promise<void>;
  /** Flushes the whole file system that holds `path` (`sync -f`): cheaper than thousands of fsyncs. */
  syncFileSystem(path: string): Promise<void>;
}

export interface Clock {
  /** Milliseconds since the epoch. For the ledger, expiry and people; never to measure a duration. */
  now(): number;
  /** CLOCK_MONOTONIC in microseconds, the clock of systemd's *Monotonic properties. */
  monotonic(): bigint;
  /** Changes with every boot. */
  readonly bootId: string;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

/** How a systemd job ended, as JobRemoved says it, or that it did not end in time. */
export type JobResult =
  | 'done'
  | 'canceled'
  | 'timeout'
  | 'failed'
  | 'dependency'
  | 'skipped'
  | 'invalid'
  | 'assert'
  | 'unsupported'
  | 'collected'
  | 'once'
  | 'no-answer';

/** What the gate and the preflight read of a unit; plain types. Monotonic times in microseconds. */
export interface UnitFacts {
  readonly unit: string;
  readonly loadState: string;
  readonly activeState: string;
  readonly subState: string;
  readonly unitFileState: string;
  readonly fragmentPath: string;
  readonly dropInPaths: readonly string[];
  readonly invocationId: string;
  readonly triggeredBy: readonly string[];
  readonly needDaemonReload: boolean;
  /** Only other units may start it, or stop it: systemd refuses both to us, and so a restart. */
  readonly refusesManual: boolean;
  /** Id of the job that waits or runs for the unit, 0 when there is none. */
  readonly job: number;
  /** The rest is undefined for a unit that is no service. */
  readonly service?: ServiceFacts;
}

export interface ServiceFacts {
  readonly type: string;
  readonly result: string;
  readonly nRestarts: number;
  readonly mainPid: number;
  readonly execMainStatus: number;
  readonly execMainCode: number;
  readonly execMainStartMonotonic: bigint;
  readonly execMainExitMonotonic: bigint;
  /** When it last left `active`; what is told to stop leaves it before its process does. */
  readonly activeExitMonotonic: bigint;
  readonly restart: string;
  readonly restartUsec: bigint;
  readonly timeoutStopUsec: bigint;
  readonly user: string;
  /** The first ExecStart= command: its path, then its arguments without the program's name; empty if there is none. */
  readonly execStart: readonly string[];
  readonly startLimitIntervalUsec: bigint;
}

/** The system bus, as far as we use it: the sole importer of dbus-next implements it (host/bus.ts). */
export interface SystemBus {
  /** Each waits for the job's end; `timeout` in milliseconds, then the result is 'no-answer' and the job goes on. */
  start(unit: string, timeout: number): Promise<JobResult>;
  restart(unit: string, timeout: number): Promise<JobResult>;
  /** Restarts a unit that is up, and leaves one alone that is not. */
  tryRestart(unit: string, timeout: number): Promise<JobResult>;
  stop(unit: string, timeout: number): Promise<JobResult>;
  /** Enqueues a job and returns once systemd has it. */
  startNoWait(unit: string): Promise<void>;
  stopNoWait(unit: string): Promise<void>;
  facts(unit: string): Promise<UnitFacts>;
  resetFailed(unit: string): Promise<void>;
  reload(): Promise<void>;
  /** `systemctl enable` of unit files by name. */
  enable(units: readonly string[]): Promise<void>;
  disable(units: readonly string[]): Promise<void>;
  /** A timer that starts `unit` once, `delay` milliseconds from now; gone after a reboot. */
  startLater(timer: string, unit: string, delay: number): Promise<void>;
  /**
   * Calls `changed` on each PropertiesChanged of the unit, and after a reload or re-exec of systemd, until disposed; and once when the bus is
   * lost, when the next call says HOST_BUS.
   */
  watch(unit: string, changed: () => void): Promise<AsyncDisposable>;
  close(): Promise<void>;
}

export interface Lock extends AsyncDisposable {
  readonly path: string;
}

/** The heartbeat of our own unit: systemd ends a transaction that stops beating, and the fallback acts. */
export interface Heartbeat {
  /** Cheap; call it from whatever makes progress. */
  beat(): void;
  /** What `systemctl status` shows, and a beat. */
  status(text: string): void;
  /** Beats while something that is bounded in time is waited for, such as a job of systemd. */
  during<T>(waited: Promise<T>): Promise<T>;
}

/** Runs a program without a shell. Output is capped; a program that outlives `timeout` (ms) is killed. */
export type Run = (command: readonly string[], options?: RunOptions) => Promise<RunResult>;

export interface RunOptions {
  readonly timeout?: number;
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly outputLimit?: number;
  /** Extra descriptors of ours that the child inherits from 3 on. */
  readonly descriptors?: readonly number[];
}

export interface RunResult {
  /** The exit status, or undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly timedOut: boolean;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** To the journal with MESSAGE_ID and fields, for what an operator searches for; waits until it is written. */
  milestone(messageId: string, message: string, fields: LogFields): Promise<void>;
}

export type LogFields = Readonly<Record<string, string | number | undefined>>;
