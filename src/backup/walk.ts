import { lstat, readdir, readlink, readFile } from 'node:fs/promises';
import { below, bytesOf, type Raw } from './paths.ts';

export type EntryType = 'directory' | 'file' | 'link';

export interface Entry {
  readonly path: Raw;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** 0 for a directory: what a file system needs for one differs. */
  readonly size: number;
  /** Nanoseconds since the epoch, decimal. */
  readonly mtime: string;
  readonly ctime: string;
  /** Of a symbolic link, else ''. */
  readonly target: Raw;
  /** Of a file with several names: the first of them in this walk, if that is another one; else ''. */
  readonly sameAs: Raw;
  /** Bytes on the disk; less than `size` where there are holes. */
  readonly allocated: number;
}

/** `special`: a socket, FIFO or device. `boundary`: another file system is mounted there, or another subvolume begins. */
export type Omitted = 'excluded' | 'special' | 'boundary' | 'ours';

export type Step =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'omitted'; readonly path: Raw; readonly why: Omitted };

export interface WalkRules {
  readonly excluded: (path: Raw) => boolean;
  /** Where file systems are mounted below the root; one of the same device number is found only so. */
  readonly mounts?: ReadonlySet<Raw>;
  /** A btrfs snapshot shows a subvolume of its origin as an empty directory of inode 2. */
  readonly inSnapshot?: 'in-snapshot';
  /** The heartbeat of whoever walks: called for each step. */
  readonly beat?: () => void;
}

/** What our own work is called where it lies inside a backed-up path. */
export const OURS = '.node-updater-';

type Stats = Awaited<ReturnType<typeof statsOf>>;

/**
 * Everything below `root`, itself first, depth first, names in the order of their bytes: two walks of equal trees give equal
 * steps. Below what is omitted nothing is told. Errors are those of node:fs.
 */
export async function* walk(root: Raw, rules: WalkRules): AsyncGenerator<Step> {
  const names = new Map<string, Raw>();
  const top = await statsOf(root);
  const pending: Raw[] = [''];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    rules.beat?.();
    const stats = path === '' ? top : await statsOf(below(root, path));
    const why = path === '' ? undefined : omission(path, stats, top.dev, rules);
    if (why !== undefined) {
      yield { kind: 'omitted', path, why };
      continue;
    }
    yield { kind: 'entry', entry: await entryOf(root, path, stats, names) };
    if (!stats.isDirectory()) continue;
    // One by one: as arguments of one call, the names of a large directory do not fit on the stack.
    for (const child of (await childrenOf(root, path)).reverse()) pending.push(child);
  }
}

function omission(path: Raw, stats: Stats, dev: bigint, rules: WalkRules): Omitted | undefined {
  if (!path.includes('/') && path.startsWith(OURS)) return 'ours';
  if (rules.excluded(path)) return 'excluded';
  if (!stats.isDirectory() && !stats.isFile() && !stats.isSymbolicLink()) return 'special';
  if (!stats.isDirectory()) return undefined;
  const foreign = stats.dev !== dev || rules.mounts?.has(path) === true;
  return foreign || (rules.inSnapshot !== undefined && stats.ino === 2n) ? 'boundary' : undefined;
}

async function childrenOf(root: Raw, path: Raw): Promise<Raw[]> {
  const names = await readdir(bytesOf(below(root, path)), { encoding: 'buffer' });
  return names
    .map((name) => name.toString('latin1'))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => (path === '' ? name : `${path}/${name}`));
}

async function entryOf(root: Raw, path: Raw, stats: Stats, names: Map<string, Raw>): Promise<Entry> {
  const type = stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'link' : 'file';
  const target =
    type === 'link' ? (await readlink(bytesOf(below(root, path)), { encoding: 'buffer' })).toString('latin1') : '';
  return {
    path,
    type,
    // A link has no mode of its own that could be set.
    mode: type === 'link' ? 0o777 : Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: type === 'directory' ? 0 : Number(stats.size),
    mtime: String(stats.mtimeNs),
    ctime: String(stats.ctimeNs),
    target,
    sameAs: type === 'directory' ? '' : firstName(path, stats, names),
    allocated: Number(stats.blocks) * 512,
  };
}

function firstName(path: Raw, stats: Stats, names: Map<string, Raw>): Raw {
  if (stats.nlink < 2n) return '';
  const inode = `${stats.dev}:${stats.ino}`;
  const first = names.get(inode);
  if (first === undefined) names.set(inode, path);
  return first ?? '';
}

function statsOf(path: Raw) {
  return lstat(bytesOf(path), { bigint: true });
}

/** What is mounted at `path` or below it, from proc_pid_mountinfo(5): `here` for itself. */
export async function mountsBelow(path: Raw): Promise<{ readonly here: boolean; readonly mounts: ReadonlySet<Raw> }> {
  const text = await readFile('/proc/self/mountinfo', 'latin1');
  const points = text.split('\n').map((line) => unescape(line.split(' ')[4] ?? ''));
  const inside = points.filter((point) => point.startsWith(`${path}/`)).map((point) => point.slice(path.length + 1));
  return { here: points.includes(path), mounts: new Set(inside) };
}

/** Blanks, tabs, newlines and backslashes are written in octal. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
