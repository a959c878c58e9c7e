/**
 * Follows one request through the ledger until it is answered or its transaction has ended. It only reads: however it ends,
 * the transaction goes on (F118).
 */
import { watch, type FSWatcher, type WatchListener } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoOf, EXIT, type ExitCode } from '../errors.ts';
import type { Clock } from '../host/ports.ts';
import { exitOf } from '../machine/conclude.ts';
import { readLedger } from '../machine/ledger.ts';
import type { LedgerRecord, Quarantine } from '../machine/record.ts';
import type { Failure, Outcome, Transaction } from '../machine/state.ts';

export type Followed =
  | {
      readonly kind: 'ended';
      readonly exit: ExitCode;
      readonly outcome: Outcome;
      readonly transaction: Transaction;
      readonly failure?: Failure;
      readonly quarantine?: Quarantine;
    }
  | { readonly kind: 'answered'; readonly exit: number; readonly message: string; readonly failure?: Failure }
  | { readonly kind: 'interrupted' }
  /** Nobody is there any more who could answer. */
  | { readonly kind: 'silent' };

export interface FollowDeps {
  readonly clock: Pick<Clock, 'wait'>;
  /** Whether the transaction or the fallback runs: as long as one does, an answer may come. */
  alive(): Promise<boolean>;
  /** Asked when nobody is alive: true when the request was handed over once more. */
  again(): Promise<boolean>;
  onRecord(record: LedgerRecord): void;
  readonly signal: AbortSignal;
}

export interface Followable {
  /** Path of the ledger; its directory exists. */
  readonly ledger: string;
  /** The request's id. */
  readonly request: string;
  /** Number of the last record that there was when it was left. */
  readonly after: number;
}

/** A change is seen at once; the look in between finds what died without a word. */
const POLL = 2_000;
/** Between the end of one unit and the start of the next systemd shows both as inactive for a moment. */
const PATIENCE = 2;

/** Throws HOST_LEDGER when the ledger cannot be read. */
export async function follow(what: Followable, deps: FollowDeps): Promise<Followed> {
  using bell = watchLedger(what.ledger);
  let seen = what.after;
  let quiet = 0;
  for (;;) {
    const { records } = await readLedger(what.ledger);
    for (const record of records) if (record.n > seen) deps.onRecord(record);
    seen = Math.max(seen, records.at(-1)?.n ?? 0);
    const fresh = records.filter(({ n }) => n > what.after);
    const end = endOf(fresh, what.request);
    if (end !== undefined) return end;
    if (deps.signal.aborted) return { kind: 'interrupted' };
    if (quiet >= PATIENCE) {
      if (!(await deps.again())) return { kind: 'silent' };
      quiet = 0;
    }
    const woken = await pause(bell, deps);
    if (woken === 'poll') quiet = (await deps.alive()) ? 0 : quiet + 1;
  }
}

/** Pure: how the request ended, if it has. */
export function endOf(records: readonly LedgerRecord[], request: string): Followed | undefined {
  const mine = new Map<string, Transaction>();
  for (const { entry } of records) {
    if (entry.kind === 'opened' && entry.transaction.request === request) {
      mine.set(entry.transaction.id, entry.transaction);
    }
    if (entry.kind === 'answer' && entry.request === request) {
      const { exit, message, failure } = entry;
      return { kind: 'answered', exit, message, ...(failure === undefined ? {} : { failure }) };
    }
    const transaction = entry.kind === 'ended' ? mine.get(entry.tx) : undefined;
    if (entry.kind === 'ended' && transaction !== undefined) {
      const { outcome, failure, quarantine } = entry;
      return {
        kind: 'ended',
        exit: exitOf(outcome, failure, transaction.action),
        outcome,
        transaction,
        ...(failure === undefined ? {} : { failure }),
        ...(quarantine === undefined ? {} : { quarantine }),
      };
    }
  }
  return undefined;
}

/** What `answer.exit` says, if it is one of ours: the ledger is a format, and a newer program may write others. */
export function knownExit(exit: number): ExitCode {
  return Object.values(EXIT).find((known) => known === exit) ?? EXIT.failed;
}

interface Bell extends Disposable {
  /** Resolves when the ledger changed since the last call. */
  rung(): Promise<void>;
}

/** The directory is watched, not the file: the first record makes the file. */
function watchLedger(path: string): Bell {
  let bell = Promise.withResolvers<undefined>();
  const watcher = startWatching(dirname(path), (_event, name) => {
    if (name === null || name === basename(path)) bell.resolve(undefined);
  });
  watcher?.on('error', () => {
    watcher.close();
  });
  return {
    async rung() {
      await bell.promise;
      bell = Promise.withResolvers();
    },
    [Symbol.dispose]() {
      watcher?.close();
    },
  };
}

/** Undefined where all of inotify is taken, as other programs of root can do: then the slow look has to do. */
function startWatching(directory: string, changed: WatchListener<string>): FSWatcher | undefined {
  try {
    return watch(directory, changed);
  } catch (error) {
    if (['EMFILE', 'ENOSPC'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

async function pause(bell: Bell, { clock, signal }: FollowDeps): Promise<'bell' | 'poll'> {
  const done = new AbortController();
  const stop = AbortSignal.any([done.signal, signal]);
  // The wait is cut short by nothing but the two signals, and both mean: look again.
  const polled = clock.wait(POLL, stop).then(
    () => 'poll' as const,
    () => 'bell' as const,
  );
  const woken = await Promise.race([bell.rung().then(() => 'bell' as const), polled]);
  done.abort();
  return woken;
}
