/** Room on the disk: asked for before anything is begun that could run out of it half-way (promise 9, DESIGN.md section 5). */
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';

/** What will be written under `path`, which need not exist yet. */
export interface Need {
  readonly what: string;
  readonly path: string;
  readonly bytes: number;
  /** Files, directories and links that will be made. */
  readonly entries: number;
}

export interface FileSystem {
  readonly device: number;
  readonly freeBytes: number;
  /** Undefined where inodes are made as needed (btrfs, xfs says plenty). */
  readonly freeEntries: number | undefined;
}

/** Other programs of the host write meanwhile, and file systems slow down when they are full to the brim. */
const MARGIN_PERCENT = 10;

/** Throws DISK_FULL, naming what is needed and what is there, when some file system is too small for all that it gets. */
export async function checkSpace(needs: readonly Need[]): Promise<void> {
  const placed = await Promise.all(needs.map(async (need) => ({ need, on: await fileSystemOf(need.path) })));
  const shortage = findShortage(placed);
  if (shortage === undefined) return;
  throw new UpdaterError('DISK_FULL', shortage, {
    remedy: 'Make room there, for example: node-updater prune. Nothing was begun, and the next run tries again.',
  });
}

/** What is too small, in words, or undefined. Several needs on one file system add up. Pure. */
export function findShortage(placed: readonly { readonly need: Need; readonly on: FileSystem }[]): string | undefined {
  for (const device of new Set(placed.map(({ on }) => on.device))) {
    const here = placed.filter(({ on }) => on.device === device);
    const [first] = here;
    if (first === undefined) continue;
    const names = here.map(({ need }) => `${need.what} in ${need.path}`).join(', ');
    const bytes = withMargin(here.reduce((sum, { need }) => sum + need.bytes, 0));
    const entries = withMargin(here.reduce((sum, { need }) => sum + need.entries, 0));
    const { freeBytes, freeEntries } = first.on;
    if (freeBytes < bytes) return `${mebibytes(bytes)} are needed for ${names}, and ${mebibytes(freeBytes)} are free`;
    if (freeEntries !== undefined && freeEntries < entries) {
      return `${entries} inodes are needed for ${names}, and ${freeEntries} are free`;
    }
  }
  return undefined;
}

function withMargin(amount: number): number {
  return Math.ceil((amount * (100 + MARGIN_PERCENT)) / 100);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

async function fileSystemOf(path: string): Promise<FileSystem> {
  try {
    const { dev } = await stat(path);
    const { bavail, bsize, files, ffree } = await statfs(path);
    return { device: dev, freeBytes: bavail * bsize, freeEntries: files === 0 ? undefined : ffree };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && path !== '/') return fileSystemOf(dirname(path));
    throw diskError(error, 'look at the file system of', path);
  }
}
