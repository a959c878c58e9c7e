import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { diskError } from '../errors.ts';
import { REPORT_NAME } from './order.ts';
import { PATIENCE_NAME } from './patience.ts';
import { partNames } from './part.ts';

/**
 * Removes everything in the cache directory but the files named by `keep`, their parts, the report, and what servers asked for. Only the fetch
 * room can: the directory is its own, and the transaction has no capability to delete in it.
 * @returns the names removed
 * @throws UpdaterError DISK_*
 */
export async function pruneCache(directory: string, keep: readonly string[]): Promise<readonly string[]> {
  const kept = new Set([
    REPORT_NAME,
    PATIENCE_NAME,
    ...keep.flatMap((name) => [name, ...Object.values(partNames(name))]),
  ]);
  try {
    const names = (await readdir(directory)).filter((name) => !kept.has(name));
    // A link is removed, never followed; a directory that should not be here goes with what is in it.
    for (const name of names) await rm(join(directory, name), { force: true, recursive: true });
    return names;
  } catch (cause) {
    throw diskError(cause, 'prune', directory);
  }
}
