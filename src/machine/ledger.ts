/**
 * The durable record of a node's transactions: append-only JSON lines, each carrying the hash of the line before it,
 * each on the disk before the next step acts.
 *
 * A torn last line (power cut in the middle of an append) is dropped. Anything wrong before it stops this node for the
 * operator: nothing is deleted, nothing is guessed, and the daemon keeps running (DESIGN.md section 5).
 *
 * The first line may stand for what was forgotten (machine/forget.ts): the chain goes on from there.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { Clock, Files } from '../host/ports.ts';
import type { Entry, LedgerRecord } from './record.ts';

const FIRST = '0'.repeat(64);

/** The first line of a ledger whose oldest lines were forgotten. A format: it stays when code is renamed. */
export interface Head {
  readonly v: 1;
  readonly forgotten: {
    /** Number and hash of the last line that went: the next one continues it. */
    readonly n: number;
    readonly last: string;
    /** What still matters of them, and the SHA-256 of that as JSON. */
    readonly kept: readonly LedgerRecord[];
    readonly digest: string;
  };
}

export interface LedgerText {
  readonly records: readonly LedgerRecord[];
  /** How many of the records stand in the head. */
  readonly kept: number;
  /** How many good lines there are. */
  readonly lines: number;
  /** Number of the last good line; those that were forgotten count. */
  readonly n: number;
  /** Bytes up to the end of the last good line; what follows is a torn tail. */
  readonly goodBytes: number;
  readonly torn: boolean;
  /** Hash of the last good line. */
  readonly last: string;
}

export interface Ledger {
  readonly records: readonly LedgerRecord[];
  append(entry: Entry): Promise<LedgerRecord>;
}

/** Pure: checks the chain of `bytes`. Throws HOST_LEDGER when anything but the last line is wrong. */
export function parseLedger(bytes: Buffer, path: string): LedgerText {
  const records: LedgerRecord[] = [];
  const all = { records, kept: 0, lines: 0, n: 0, goodBytes: 0, torn: false, last: FIRST };
  while (all.goodBytes < bytes.length) {
    const newline = bytes.indexOf(0x0a, all.goodBytes);
    const end = newline === -1 ? bytes.length : newline;
    const line = bytes.subarray(all.goodBytes, end);
    const value = newline === -1 ? undefined : parseJson(line);
    if (value === undefined) {
      if (hasMore(bytes, newline)) throw corrupt(path, all.lines + 1, 'not JSON');
      return { ...all, torn: true };
    }
    const read = all.lines === 0 && 'forgotten' in value ? readHead(value) : readRecord(value, line, all);
    if (typeof read === 'string') throw corrupt(path, all.lines + 1, read);
    for (const record of read.records) records.push(record);
    Object.assign(all, { n: read.n, last: read.last, kept: all.kept + read.kept });
    all.lines += 1;
    all.goodBytes = end + 1;
  }
  return all;
}

/** What a line adds, and where the chain stands after it. */
interface Read {
  readonly records: readonly LedgerRecord[];
  readonly kept: number;
  readonly n: number;
  readonly last: string;
}

function readHead(value: object): Read | string {
  const { v, forgotten } = value as Partial<Head>;
  if (v !== 1) return newer(v);
  if (forgotten === undefined || !Array.isArray(forgotten.kept) || digestOf(forgotten.kept) !== forgotten.digest)
    return 'what it keeps of forgotten records is not what was written';
  const { kept, n, last } = forgotten;
  return { records: kept, kept: kept.length, n, last };
}

function readRecord(value: object, line: Buffer, { last, n }: Pick<LedgerText, 'last' | 'n'>): Read | string {
  const record = checkRecord(value, last, n + 1);
  return typeof record === 'string' ? record : { records: [record], kept: 0, n: n + 1, last: sha256(line) };
}

/** Of what a head keeps. */
export function digestOf(kept: readonly LedgerRecord[]): string {
  return sha256(Buffer.from(JSON.stringify(kept)));
}

/** Reads without changing anything: for `status`, `history`, and for everyone who may not write. */
export async function readLedger(path: string): Promise<LedgerText> {
  return parseLedger(await readOrEmpty(path), path);
}

/** Opens for writing: drops a torn tail first. The caller holds the node's lock. */
export async function openLedger(path: string, files: Files, clock: Clock): Promise<Ledger> {
  const text = await readLedger(path);
  if (text.torn) await files.truncate(path, text.goodBytes);
  const records = [...text.records];
  let { n, last } = text;
  let size = text.goodBytes;
  return {
    records,
    async append(entry) {
      const record: LedgerRecord = {
        v: 1,
        n: n + 1,
        prev: last,
        at: new Date(clock.now()).toISOString(),
        boot: clock.bootId,
        mono: clock.monotonic().toString(),
        entry,
      };
      const line = Buffer.from(JSON.stringify(record));
      try {
        await files.append(path, `${line.toString()}\n`, 0o644);
      } catch (error) {
        // Half a line must not stand in front of the next record.
        await files.truncate(path, size).catch((second: unknown) => {
          throw unwritable(path, error, second);
        });
        throw error;
      }
      size += line.length + 1;
      last = sha256(line);
      n += 1;
      records.push(record);
      return record;
    },
  };
}

/** The bytes of a ledger; none when there is no file. Throws HOST_LEDGER, also for what is no file: nobody waits for a FIFO. */
export async function readOrEmpty(path: string): Promise<Buffer> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return await file.readFile();
    throw new Error('it is no file');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return Buffer.alloc(0);
    throw new UpdaterError('HOST_LEDGER', `The ledger ${path} cannot be read`, {
      cause: error,
      remedy: `Look at the file and its disk: ls -ld ${path}. The daemon keeps running, but this node is not updated until it is mended.`,
    });
  }
}

function parseJson(line: Buffer): object | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The record, or what is wrong with it. */
function checkRecord(value: object, expectedPrev: string, expectedN: number): LedgerRecord | string {
  const record = value as Partial<LedgerRecord>;
  if (record.v !== 1) return newer(record.v);
  if (record.n !== expectedN) return `record number ${JSON.stringify(record.n)} where ${expectedN} was expected`;
  if (record.prev !== expectedPrev) return 'its hash does not continue the record before it';
  if (typeof (record.entry as { kind?: unknown } | undefined)?.kind !== 'string') return 'no entry';
  return record as LedgerRecord;
}

function newer(format: unknown): string {
  return `format ${JSON.stringify(format)} is of a newer node-updater`;
}

/** Zeros at the end are what a file system leaves of an append that a power cut interrupted. */
function hasMore(bytes: Buffer, newline: number): boolean {
  return newline !== -1 && bytes.subarray(newline + 1).some((byte) => byte !== 0);
}

/** With the code of what came first: a file system that became read-only is the disk's fault, and no damage to the ledger. */
function unwritable(path: string, first: unknown, second: unknown): UpdaterError {
  const code = first instanceof UpdaterError ? first.code : 'HOST_LEDGER';
  return new UpdaterError(code, `The ledger ${path} can neither be written nor cut back`, {
    cause: new AggregateError([first, second], 'nor could it be cut back'),
    remedy: `See whether the disk is full or read-only: df ${path}; findmnt -T ${path}. The daemon keeps running.`,
  });
}

function corrupt(path: string, line: number, problem: string): UpdaterError {
  return new UpdaterError('HOST_LEDGER', `The ledger ${path} is damaged at line ${line}: ${problem}`, {
    remedy:
      'The daemon keeps running, but this node is not updated until a person has looked. ' +
      `To begin a new ledger: mv ${path} ${path}.damaged. With the old one go the history, the quarantines (a version ` +
      'that failed here is tried again) and what a rollback goes back to; `node-updater history` shows what can still be read.',
  });
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
