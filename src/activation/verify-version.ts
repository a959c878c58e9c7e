/**
 * Whether a staged version is still what was staged: against bit rot, and against hands (faults F070, F121). Every file is read.
 * No defence against attackers: who can write here is root (artifact/unpack.ts).
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { diskError, errnoOf } from '../errors.ts';
import type { NodeLayout } from '../layout.ts';
import { walkOrder, type Listed } from '../listing.ts';
import type { Version } from '../release.ts';
import { readListing, UselessListing, type ListingHead } from './listing-file.ts';
import { unreadableBy, walkVersion, type Found } from './walk-version.ts';

export type Verdict =
  | { readonly state: 'holds'; readonly entries: number; readonly bytes: number }
  | {
      readonly state: 'damaged';
      /** The first ones, at most `MOST`. */
      readonly differences: readonly Difference[];
      /** All of them. */
      readonly count: number;
    }
  /** Nothing is known of what its files were. */
  | { readonly state: 'unverifiable'; readonly why: string };

export interface Difference {
  /** Below the version directory, which is `.` itself. */
  readonly path: string;
  readonly what: 'gone' | 'new' | 'kind' | 'mode' | 'owner' | 'size' | 'content' | 'target' | 'unreadable';
  /** Completes "PATH …". */
  readonly message: string;
}

const MOST = 100;
const PIECE = 1024 * 1024;

/** `beat` is called as it goes. Throws DISK_ for what is wrong with more than a file, such as too many open ones. */
export async function verifyVersion(
  version: Version,
  layout: Pick<NodeLayout, 'versions'>,
  beat: () => void,
): Promise<Verdict> {
  const root = `${layout.versions}/${version}`;
  const findings = collect();
  const listing = readListing(layout, version);
  try {
    const first = await listing.next();
    const head = first.done === true ? undefined : first.value;
    if (head === undefined || !('schema' in head)) throw new UselessListing('the listing of them has no beginning');
    if (head.version !== version) throw new UselessListing(`the listing of them is that of ${head.version}`);
    const check = checker(root, head, beat);
    // The head comes once.
    for await (const [listed, found] of pairs(listing as AsyncGenerator<Listed>, walkVersion(root))) {
      beat();
      await check(listed, found, findings);
    }
    return findings.verdict();
  } catch (error) {
    if (error instanceof UselessListing) return { state: 'unverifiable', why: error.message };
    throw diskError(error, 'verify', root);
  } finally {
    await listing.return();
  }
}

interface Findings {
  add(difference: Difference): void;
  holds(bytes: number): void;
  verdict(): Verdict;
}

function collect(): Findings {
  const differences: Difference[] = [];
  let count = 0;
  let entries = 0;
  let bytes = 0;
  return {
    add: (difference) => {
      if (count++ < MOST) differences.push(difference);
    },
    holds: (more) => {
      entries++;
      bytes += more;
    },
    verdict: () => (count === 0 ? { state: 'holds', entries, bytes } : { state: 'damaged', differences, count }),
  };
}

type Pair = readonly [Listed | undefined, Found | undefined];

/** What stands at each path, on the listing and on the disk; what lies below a path that differs as a whole is left out. */
async function* pairs(listing: AsyncGenerator<Listed>, walk: AsyncGenerator<Found>): AsyncGenerator<Pair> {
  let whole: string | undefined;
  const next = async <T extends { readonly path: string }>(from: AsyncGenerator<T>): Promise<T | undefined> => {
    for (;;) {
      const step = await from.next();
      if (step.done === true) return undefined;
      if (whole === undefined || !isBelow(step.value.path, whole)) return step.value;
    }
  };
  let listed = await next(listing);
  let found = await next(walk);
  while (listed !== undefined || found !== undefined) {
    const order = listed === undefined ? 1 : found === undefined ? -1 : walkOrder(listed.path, found.path);
    const pair: Pair = [order <= 0 ? listed : undefined, order >= 0 ? found : undefined];
    yield pair;
    if (pair[0]?.kind !== pair[1]?.kind || pair[1]?.unreadable !== undefined) whole = (pair[0] ?? pair[1])?.path;
    if (order <= 0) listed = await next(listing);
    if (order >= 0) found = await next(walk);
  }
}

function isBelow(path: string, top: string): boolean {
  return top === '' || path.startsWith(`${top}/`);
}

type Check = (listed: Listed | undefined, found: Found | undefined, findings: Findings) => Promise<void>;

function checker(root: string, head: ListingHead, beat: () => void): Check {
  const buffer = Buffer.allocUnsafeSlow(PIECE);
  return async (listed, found, findings) => {
    const told = compare(listed, found, head);
    const comparable = told.every(([what]) => what === 'mode' || what === 'owner');
    if (comparable && listed?.kind === 'file') {
      const problem = await compareContent(`${root}/${listed.path}`, listed, buffer, beat);
      if (problem !== undefined) told.push(problem);
    }
    const path = (listed ?? found)?.path ?? '';
    for (const [what, message] of told) findings.add({ path: path === '' ? '.' : path, what, message });
    if (told.length === 0) findings.holds(listed?.kind === 'file' ? listed.size : 0);
  };
}

type Told = readonly [Difference['what'], string];

/** All but the bytes of a file. */
function compare(listed: Listed | undefined, found: Found | undefined, head: ListingHead): Told[] {
  if (found === undefined) return [['gone', 'is gone']];
  if (found.unreadable !== undefined && listed !== undefined) return [cannotBeRead(found.unreadable)];
  if (listed === undefined) return [['new', 'is new']];
  if (found.kind !== listed.kind) return [['kind', `is a ${NAMES[found.kind]}, not a ${NAMES[listed.kind]}`]];
  const told: Told[] = [];
  if (listed.kind !== 'link' && found.mode !== listed.mode)
    told.push(['mode', `has another mode: ${octal(found.mode)}, not ${octal(listed.mode)}`]);
  if (found.uid !== head.uid || found.gid !== head.gid)
    told.push(['owner', `has another owner: ${found.uid}:${found.gid}, not ${head.uid}:${head.gid}`]);
  if (listed.kind === 'link' && found.target !== listed.target)
    told.push(['target', `leads to ${found.target ?? ''}, not to ${listed.target}`]);
  if (listed.kind === 'file' && found.size !== listed.size)
    told.push(['size', `has another size: ${found.size} bytes, not ${listed.size}`]);
  return told;
}

const NAMES = { file: 'file', directory: 'directory', link: 'symbolic link', special: 'special file' } as const;

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function cannotBeRead(errno: string): Told {
  return ['unreadable', `cannot be read (${errno})`];
}

async function compareContent(
  path: string,
  listed: Extract<Listed, { kind: 'file' }>,
  buffer: Buffer,
  beat: () => void,
): Promise<Told | undefined> {
  try {
    const sum = await checksumOf(path, buffer, beat);
    return sum === listed.crc32 ? undefined : ['content', 'has another content'];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ['gone', 'is gone'];
    const errno = unreadableBy(error);
    if (errno === undefined) throw diskError(error, 'read', path);
    return cannotBeRead(errno);
  }
}

async function checksumOf(path: string, buffer: Buffer, beat: () => void): Promise<number> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  let sum = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return sum;
    sum = crc32(buffer.subarray(0, bytesRead), sum);
    beat();
  }
}
