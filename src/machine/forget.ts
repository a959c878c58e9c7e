/**
 * What a ledger forgets. A run that finds nothing to do leaves one line, one that is refused a dozen; on a host that nobody
 * watches, for years. A ledger of more than LIMIT is written anew: the latest records as they stand, in one line before them
 * what still matters of the others, and nothing of the rest, which the journal had as well.
 */
import { stat } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { Files, Log } from '../host/ports.ts';
import { digestOf, parseLedger, readOrEmpty, type Head } from './ledger.ts';
import { quarantined } from './recover.ts';
import type { Entry, LedgerRecord } from './record.ts';
import type { Transaction } from './state.ts';

/** Bytes; a record has some 300. */
const LIMIT = 1024 * 1024;
/** So many records stay as they are, or a few more, so that no transaction is cut. */
const RECENT = 1000;
/** And all of so many transactions, for `history`. */
const RECENT_TRANSACTIONS = 10;

/** Under the node's lock, before the ledger is opened. A disk that does not take it is told, and asked again by the next run. Throws HOST_LEDGER. */
export async function forgetOld(path: string, files: Pick<Files, 'replace'>, log: Log): Promise<void> {
  if ((await ifThere(stat(path), { size: 0 })).size <= LIMIT) return;
  const bytes = await readOrEmpty(path);
  const shorter = shortened(bytes, path, RECENT);
  // What is needed grows as well, if slowly: it is not written anew for little.
  if (shorter.length > bytes.length / 2) return;
  try {
    await files.replace(path, shorter, 0o644);
    log.info(
      `${path} had ${bytes.length} bytes: what nothing depends on any more was forgotten, ${shorter.length} are left`,
    );
  } catch (error) {
    if (!(error instanceof UpdaterError)) throw error;
    log.warn(
      `${path} has ${bytes.length} bytes and could not be written anew: ${error.message}. The next run tries again`,
    );
  }
}

/** The bytes of the same ledger: its `recent` latest records, and what is needed of the others. Pure. Throws HOST_LEDGER. */
export function shortened(bytes: Buffer, path: string, recent: number): Buffer {
  const text = parseLedger(bytes, path);
  const { records } = text;
  const from = Math.max(text.kept, beginning(records, records.length - recent));
  const first = records[from];
  if (first === undefined) return bytes;
  const kept = stillNeeded(records, from);
  const head: Head = { v: 1, forgotten: { n: first.n - 1, last: first.prev, kept, digest: digestOf(kept) } };
  // As they stand: the hash of each is in the next.
  const lines = lastLines(bytes.subarray(0, text.goodBytes), records.length - from);
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), lines]);
}

/** `at`, or where the transaction begins that is under way there. */
function beginning(records: readonly LedgerRecord[], at: number): number {
  const before = records.slice(0, Math.max(0, at));
  const opened = before.findLastIndex(({ entry }) => entry.kind === 'opened');
  const ended = before.findLastIndex(({ entry }) => entry.kind === 'ended');
  return opened > ended ? opened : before.length;
}

/** Of the records before `from`, in their order: what the rules of machine/recover.ts and machine/plan.ts look back for. */
function stillNeeded(records: readonly LedgerRecord[], from: number): readonly LedgerRecord[] {
  const old = records.slice(0, from);
  const ids = old.flatMap(({ entry }) => (entry.kind === 'opened' ? [entry.transaction.id] : []));
  const whole = new Set(ids.slice(-RECENT_TRANSACTIONS));
  const facts = needed(records);
  return old.filter(({ entry }) => {
    // What it lifts may stand in a transaction that is kept for another reason.
    if (entry.kind === 'lifted') return true;
    const id = idOf(entry);
    if (id === undefined) return false;
    return whole.has(id) || (facts.has(id) && (entry.kind === 'opened' || entry.kind === 'ended'));
  });
}

/** The transactions that say which versions were committed here, what they did to the data, and what is held against them. */
function needed(records: readonly LedgerRecord[]): ReadonlySet<string> {
  const opened = new Map<string, Transaction>();
  const lastData = new Map<string, string>();
  const found = new Set<string>();
  const inForce = new Set(quarantined(records).values());
  for (const { entry } of records) {
    if (entry.kind === 'opened') {
      const { id, to, data } = entry.transaction;
      opened.set(id, entry.transaction);
      if (data !== undefined) lastData.set(to, id);
    }
    if (entry.kind === 'ended' && (isCommit(entry, opened) || isEvidence(entry, inForce))) found.add(entry.tx);
  }
  return new Set([...found, ...lastData.values()]);
}

type Ended = Extract<Entry, { kind: 'ended' }>;

/** Of another version: a backup or a drill changes none. */
function isCommit({ outcome, tx }: Ended, opened: ReadonlyMap<string, Transaction>): boolean {
  const transaction = opened.get(tx);
  return outcome === 'committed' && transaction?.to !== transaction?.from;
}

function isEvidence({ failure, quarantine }: Ended, inForce: ReadonlySet<unknown>): boolean {
  return failure?.code === 'ACTIVATE_INTERRUPTED' || (quarantine !== undefined && inForce.has(quarantine));
}

function idOf(entry: Entry): string | undefined {
  if (entry.kind === 'opened') return entry.transaction.id;
  return 'tx' in entry ? entry.tx : undefined;
}

function lastLines(bytes: Buffer, count: number): Buffer {
  let start = bytes.length;
  for (let line = 0; line < count; line++) start = bytes.lastIndexOf(0x0a, start - 2) + 1;
  return bytes.subarray(start);
}
