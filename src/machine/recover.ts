import type { Version } from '../release.ts';
import type { Entry, LedgerRecord, Quarantine } from './record.ts';
import type { Event, Failure, Transaction, Working } from './state.ts';

/** A transaction that has no `ended` record yet, and how far it had come before anybody settled it. */
export interface OpenTransaction {
  readonly transaction: Transaction;
  /** The last state whose intent was written; undefined when none was. */
  readonly reached: Working | undefined;
  /** Every state whose intent was ever written. */
  readonly visited: ReadonlySet<Working>;
  /** The failure that made it yield, if one is on record. */
  readonly failure: Failure | undefined;
  /** The event that the last result carried: `operator` says that the operator stopped the node. */
  readonly lastEvent: Event | undefined;
  /** Whether its node was stopped by its operator before it began. */
  readonly rests?: 'yes';
  /** The backup that it made. */
  readonly backup?: string;
  /** Whether it has put a backup back. */
  readonly restored?: 'yes';
  /** The boot in which it was last acted on. */
  readonly boot: string;
}

/** What the disk says, read once. Undefined: the link is not there. */
export interface LinkFacts {
  readonly current: Version | undefined;
  readonly fallback: Version | undefined;
}

export function findOpen(records: readonly LedgerRecord[]): OpenTransaction | undefined {
  const at = records.findLastIndex((record) => record.entry.kind === 'opened');
  const opened = records[at]?.entry;
  if (opened?.kind !== 'opened') return undefined;
  const acted = records.slice(at + 1).filter(({ entry }) => !('state' in entry) || !settles(entry.state));
  const entries = records.slice(at + 1).map((record) => record.entry);
  if (entries.some((entry) => entry.kind === 'ended')) return undefined;
  const visited = entries.flatMap((entry) => (entry.kind === 'intent' && !settles(entry.state) ? [entry.state] : []));
  // What the settling run read of a cause that could not be recorded at its time (machine/cause.ts).
  const late = entries.flatMap((entry) =>
    entry.kind === 'result' && entry.state === 'settle' && entry.event !== 'failed' ? [entry.failure] : [],
  );
  const results = entries.flatMap((entry) => (entry.kind === 'result' && !settles(entry.state) ? [entry] : []));
  return {
    transaction: opened.transaction,
    reached: visited.at(-1),
    visited: new Set(visited),
    // A restore follows from a failure; its own is not the cause.
    failure:
      results.findLast(({ state, failure }) => failure !== undefined && !RESTORING.has(state))?.failure ??
      late.find((cause) => cause !== undefined),
    lastEvent: results.at(-1)?.event,
    ...dataFacts(results),
    boot: (acted.at(-1) ?? records[at])?.boot ?? '',
  };
}

export const RESTORING: ReadonlySet<Working> = new Set(['restore', 'go-back']);

function dataFacts(results: readonly Extract<Entry, { kind: 'result' }>[]) {
  const backup = results.findLast(({ state, facts }) => state === 'backup' && facts !== undefined)?.facts?.['backup'];
  const rests = results.some(({ facts }) => facts?.['node'] === 'resting');
  const restored = results.some(({ state, facts }) => RESTORING.has(state) && facts?.['restored'] !== undefined);
  return {
    ...(rests ? { rests: 'yes' as const } : {}),
    ...(backup === undefined ? {} : { backup: String(backup) }),
    ...(restored ? { restored: 'yes' as const } : {}),
  };
}

/** What a later process does to a transaction says nothing about how far the transaction itself came, nor why it ended. */
function settles(state: Working): boolean {
  return state === 'settle' || state === 'withdraw' || state === 'gate-old';
}

/**
 * What has become of a transaction that its process left: the ledger says how far it came, the links say what holds.
 * `current` and `fallback` win over the ledger (DESIGN.md section 6: nothing else decides).
 */
export function judge(open: OpenTransaction, links: LinkFacts): Event {
  const { transaction, visited } = open;
  if (links.fallback !== undefined) return 'armed';
  if (transaction.way === 'forward') return judgeForward(open, links);
  if (!visited.has('activate')) return visited.has('stop') ? 'put-back' : 'untouched';
  if (transaction.from === undefined) return judgeInstallation(open, links);
  if (links.current === transaction.to && transaction.to !== transaction.from) return 'committed';
  return 'put-back';
}

/** Without a way back nothing was put back by systemd: what `current` names is what runs, or will. */
function judgeForward({ transaction, reached, visited, restored }: OpenTransaction, links: LinkFacts): Event {
  if (reached === 'restore' && restored === undefined) return 'restoring';
  if (reached === 'go-back' && restored === undefined) return 'going-back';
  if (visited.has('clean')) return 'committed';
  if (restored === undefined && !visited.has('activate')) return visited.has('stop') ? 'put-back' : 'untouched';
  return links.current === transaction.to ? 'forward' : 'put-back';
}

/**
 * A first installation has no link to fall back to: there the ledger says whether it was committed. Only what follows the
 * commit says so, since the commit enables the unit as well.
 */
function judgeInstallation(open: OpenTransaction, links: LinkFacts): Event {
  if (links.current === undefined) return 'uncommitted';
  // A ledger that was put back from elsewhere ends here, and what runs now is not its to withdraw.
  if (links.current !== open.transaction.to) return 'untouched';
  return open.visited.has('clean') ? 'committed' : 'uncommitted';
}

/**
 * Why a version that was put back may not come again by itself, or undefined when nothing is known against it: an
 * interruption (reboot, power cut, a killed updater) is forgiven once.
 */
export function quarantineFor(open: OpenTransaction, records: readonly LedgerRecord[]): Quarantine | undefined {
  const { transaction, failure, lastEvent } = open;
  const version = transaction.to;
  if (lastEvent === 'operator') return undefined;
  if (failure !== undefined) {
    // Before the switch nothing of this version ran as the node: a wrong pattern or a noexec mount is not its fault.
    return countsAgainst(failure) && open.visited.has('activate')
      ? { version, cause: 'gate', message: failure.message }
      : undefined;
  }
  if (!open.visited.has('activate')) return undefined;
  const before = interruptions(records, version);
  if (before < 1) return undefined;
  return {
    version,
    cause: 'interrupted',
    message: `The host or the updater went down ${before + 1} times while ${version} was on probation`,
  };
}

/** Only evidence from this host about this version (promise 9). */
export function countsAgainst(failure: Failure): boolean {
  return failure.code.startsWith('GATE_') || failure.code === 'ACTIVATE_START';
}

function interruptions(records: readonly LedgerRecord[], version: Version): number {
  let tx: string | undefined;
  let count = 0;
  for (const { entry } of records) {
    if (entry.kind === 'opened') tx = entry.transaction.to === version ? entry.transaction.id : undefined;
    if (entry.kind !== 'ended' || entry.tx !== tx || entry.outcome === 'unchanged') continue;
    if (entry.failure?.code === 'ACTIVATE_INTERRUPTED') count++;
  }
  return count;
}

/** The versions that failed here and were neither lifted nor committed since. */
export function quarantined(records: readonly LedgerRecord[]): ReadonlyMap<Version, Quarantine> {
  const found = new Map<Version, Quarantine>();
  let tried: Transaction | undefined;
  for (const { entry } of records) {
    if (entry.kind === 'opened') tried = entry.transaction;
    else if (entry.kind === 'lifted') found.delete(entry.version);
    else if (entry.kind === 'ended') {
      if (entry.outcome === 'committed' && tried?.id === entry.tx) found.delete(tried.to);
      if (entry.quarantine !== undefined) found.set(entry.quarantine.version, entry.quarantine);
    }
  }
  return found;
}
