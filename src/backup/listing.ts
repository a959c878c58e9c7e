/**
 * The listing of a backup: one JSON line for each entry, in the order of walk.ts, so that two of them are compared line by line
 * in little memory, however many files there are.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { bytesOf, textOf, type Raw } from './paths.ts';
import type { Entry, EntryType, Omitted, Step } from './walk.ts';

export interface Totals {
  entries: number;
  /** Bytes on the disk, each file once. */
  bytes: number;
  excluded: number;
  special: number;
  boundary: number;
}

export interface Listed extends Totals {
  /** Of the whole file. */
  readonly sha256: string;
}

export function noTotals(): Totals {
  return { entries: 0, bytes: 0, excluded: 0, special: 0, boundary: 0 };
}

export function count(step: Step, totals: Totals): void {
  if (step.kind === 'omitted') {
    if (step.why !== 'ours') totals[step.why] += 1;
    return;
  }
  totals.entries += 1;
  if (step.entry.sameAs === '') totals.bytes += Math.min(step.entry.allocated, step.entry.size);
}

const FLUSH = 64 * 1024;

/** Writes the listing of a walk, new and with mode 0600, and hands on what was omitted. */
export async function writeListing(
  path: string,
  steps: AsyncIterable<Step>,
  onOmitted: (path: Raw, why: Omitted) => void = () => undefined,
): Promise<Listed> {
  await using file = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  const totals = noTotals();
  let waiting = '';
  const flush = async (): Promise<void> => {
    hash.update(waiting);
    await file.appendFile(waiting);
    waiting = '';
  };
  for await (const step of steps) {
    count(step, totals);
    if (step.kind === 'omitted') onOmitted(step.path, step.why);
    else waiting += `${JSON.stringify(lineOf(step.entry))}\n`;
    if (waiting.length > FLUSH) await flush();
  }
  await flush();
  return { ...totals, sha256: hash.digest('hex') };
}

type Line = readonly [Raw, EntryType, number, number, number, number, string, Raw, Raw, string];

function lineOf(entry: Entry): Line {
  const { path, type, mode, uid, gid, size, mtime, target, sameAs, ctime } = entry;
  return [path, type, mode, uid, gid, size, mtime, target, sameAs, ctime];
}

export type ListedEntry = Omit<Entry, 'allocated'>;

export async function* readListing(path: string): AsyncGenerator<ListedEntry> {
  await using file = await open(path, 'r');
  for await (const text of file.readLines({ autoClose: false })) {
    const [entry, type, mode, uid, gid, size, mtime, target, sameAs, ctime] = JSON.parse(text) as Line;
    yield { path: entry, type, mode, uid, gid, size, mtime, target, sameAs, ctime };
  }
}

export async function sha256OfFile(path: Raw, beat: () => void = () => undefined): Promise<string> {
  await using file = await open(bytesOf(path), 'r');
  const hash = createHash('sha256');
  for await (const chunk of file.createReadStream({ highWaterMark: 1024 * 1024, autoClose: false })) {
    hash.update(chunk as Buffer);
    beat();
  }
  return hash.digest('hex');
}

export interface Difference {
  readonly path: string;
  /** Half a sentence that fits behind the path. */
  readonly what: string;
}

/** `with-ctime`: the same tree looked at again; anything that was done to an entry shows. `copy`: another tree like it. */
export type Comparison = 'with-ctime' | 'copy';

/** The first difference between what was listed and what is walked, or undefined. */
export async function firstDifference(
  listed: AsyncIterable<ListedEntry>,
  steps: AsyncIterable<Step>,
  how: Comparison,
): Promise<Difference | undefined> {
  const found = entriesOf(steps)[Symbol.asyncIterator]();
  for await (const wanted of listed) {
    const next = await found.next();
    if (next.done === true) return { path: textOf(wanted.path), what: 'is gone' };
    const what = differenceOf(wanted, next.value, how);
    if (what !== undefined) return { path: textOf(what === 'is new' ? next.value.path : wanted.path), what };
  }
  const more = await found.next();
  return more.done === true ? undefined : { path: textOf(more.value.path), what: 'is new' };
}

async function* entriesOf(steps: AsyncIterable<Step>): AsyncGenerator<Entry> {
  for await (const step of steps) if (step.kind === 'entry') yield step.entry;
}

function differenceOf(wanted: ListedEntry, found: Entry, how: Comparison): string | undefined {
  if (wanted.path !== found.path) return orderOf(wanted.path) < orderOf(found.path) ? 'is gone' : 'is new';
  const kinds = ['type', 'mode', 'uid', 'gid', 'size', 'mtime', 'target', 'sameAs'] as const;
  const other = kinds.find((kind) => wanted[kind] !== found[kind]);
  if (other !== undefined) {
    const name = other === 'sameAs' ? 'other names of the same file' : other;
    return `has another ${name}: ${JSON.stringify(found[other])}, not ${JSON.stringify(wanted[other])}`;
  }
  return how === 'with-ctime' && wanted.ctime !== found.ctime ? 'was changed' : undefined;
}

/** The walk's order as that of plain text: a directory's children come right behind it. */
function orderOf(path: Raw): string {
  return path.replaceAll('/', '\0');
}
