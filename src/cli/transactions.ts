/** The ledger as people think of it: one entry for each transaction. Pure. */
import type { LedgerRecord, Quarantine } from '../machine/record.ts';
import type { Failure, Outcome, Transaction, Working } from '../machine/state.ts';

export interface TransactionView {
  readonly id: string;
  readonly action: Transaction['action'];
  readonly from?: string;
  readonly to: string;
  /** Number of its first record. */
  readonly record: number;
  /** Milliseconds since the epoch. */
  readonly opened: number;
  readonly ended?: number;
  readonly outcome: Outcome | 'open';
  readonly reached?: Working;
  readonly failure?: Failure;
  readonly quarantine?: Quarantine;
  readonly request?: string;
  /** Milliseconds; absent when a clock that counts through is not on record (a reboot in between). */
  readonly duration?: number;
  /** From the order to stop until the start of the new version was reported, in milliseconds. */
  readonly downtime?: number;
}

/** Oldest first. */
export function viewTransactions(records: readonly LedgerRecord[]): TransactionView[] {
  const starts = records.flatMap(({ entry }, at) => (entry.kind === 'opened' ? [{ at, of: entry.transaction }] : []));
  return starts.map(({ at, of }, n) => view(of, records.slice(at, starts[n + 1]?.at)));
}

function view(transaction: Transaction, records: readonly LedgerRecord[]): TransactionView {
  const { id, action, from, to, request } = transaction;
  const [first] = records;
  const end = records.find(({ entry }) => entry.kind === 'ended');
  const ended = end?.entry.kind === 'ended' ? end.entry : undefined;
  const reached = records.flatMap(({ entry }) => (entry.kind === 'intent' ? [entry.state] : [])).at(-1);
  const failure = ended?.failure;
  return {
    id,
    action,
    ...(from === undefined ? {} : { from }),
    to,
    record: first?.n ?? 0,
    opened: timeOf(first),
    ...(end === undefined ? {} : { ended: timeOf(end) }),
    outcome: ended?.outcome ?? 'open',
    ...(reached === undefined ? {} : { reached }),
    ...(failure === undefined ? {} : { failure }),
    ...(ended?.quarantine === undefined ? {} : { quarantine: ended.quarantine }),
    ...(request === undefined ? {} : { request }),
    ...maybe('duration', between(first, end)),
    ...maybe('downtime', from === undefined || ended?.outcome !== 'committed' ? undefined : downtime(records)),
  };
}

const STOPPING: readonly Working[] = ['stop', 'start', 'restore'];

/** Of a version that was committed: one that was put back was down again at times that the ledger does not know. */
function downtime(records: readonly LedgerRecord[]): number | undefined {
  const stop = records.find(({ entry }) => entry.kind === 'intent' && STOPPING.includes(entry.state));
  const start = records.find(
    ({ entry }) =>
      entry.kind === 'result' && (entry.state === 'start' || entry.state === 'restore') && entry.event === 'ok',
  );
  return between(stop, start);
}

/** By the monotonic clock: the other one may have been set in between. */
function between(from: LedgerRecord | undefined, to: LedgerRecord | undefined): number | undefined {
  if (from === undefined || to === undefined || from.boot !== to.boot) return undefined;
  return Number((BigInt(to.mono) - BigInt(from.mono)) / 1000n);
}

function timeOf(record: LedgerRecord | undefined): number {
  return record === undefined ? 0 : Date.parse(record.at);
}

function maybe<Key extends string>(key: Key, value: number | undefined): Partial<Record<Key, number>> {
  return value === undefined ? {} : ({ [key]: value } as Record<Key, number>);
}
