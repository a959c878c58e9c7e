/** What is below a version directory now, in walkOrder, one directory's names in memory at a time. Nothing is followed. */
import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { diskError, errnoOf } from '../errors.ts';
import type { Listed } from '../listing.ts';

export interface Found {
  /** Relative to the version directory, which is '' itself. */
  readonly path: string;
  readonly kind: Listed['kind'] | 'special';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Of a link. */
  readonly target?: string;
  /** Why it, or of a directory its names, could not be read. */
  readonly unreadable?: string;
}

/**
 * What says that the disk, or somebody, has taken these bytes away. Where bytes were lost, ext4 and btrfs answer EIO, xfs
 * EUCLEAN and EBADMSG; root in this room may not read what it does not own.
 */
const UNREADABLE: ReadonlySet<string> = new Set(['EIO', 'EUCLEAN', 'EBADMSG', 'EACCES', 'EPERM']);
/** For which Node has no name. */
const EUCLEAN = -117;

/** The name of an error that is about this file and no other, or undefined. */
export function unreadableBy(error: unknown): string | undefined {
  const lost = error instanceof Error && 'errno' in error && error.errno === EUCLEAN;
  const name = lost ? 'EUCLEAN' : errnoOf(error);
  return name !== undefined && UNREADABLE.has(name) ? name : undefined;
}

/** Throws DISK_ for what is wrong with more than one file. */
export async function* walkVersion(root: string, path = ''): AsyncGenerator<Found, void, undefined> {
  const at = path === '' ? root : `${root}/${path}`;
  const found = await look(at, path);
  if (found.kind !== 'directory') {
    yield found;
    return;
  }
  const names = await namesIn(at);
  if (!Array.isArray(names)) {
    yield { ...found, ...names };
    return;
  }
  yield found;
  for (const name of names) yield* walkVersion(root, path === '' ? name : `${path}/${name}`);
}

async function look(at: string, path: string): Promise<Found> {
  try {
    const stats = await lstat(at);
    const { uid, gid, size } = stats;
    const kind = kindOf(stats);
    const link = kind === 'link' ? { target: await readlink(at) } : {};
    return { path, kind, mode: stats.mode & 0o7777, uid, gid, size, ...link };
  } catch (error) {
    const nothing = { path, kind: 'special', mode: 0, uid: 0, gid: 0, size: 0 } as const;
    // It has gone meanwhile, or its name is no UTF-8, as none in an archive is.
    if (errnoOf(error) === 'ENOENT') return nothing;
    return { ...nothing, ...unreadable(error, at) };
  }
}

function kindOf(stats: Stats): Found['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : 'special';
}

async function namesIn(at: string): Promise<string[] | { readonly unreadable: string }> {
  try {
    return (await readdir(at)).sort();
  } catch (error) {
    return unreadable(error, at);
  }
}

function unreadable(error: unknown, at: string): { readonly unreadable: string } {
  const name = unreadableBy(error);
  if (name === undefined) throw diskError(error, 'look at', at);
  return { unreadable: name };
}
