/**
 * Removes a staged version. It loses its name first, in one rename(2), so that no instant shows half a version under a
 * version's name; what a death leaves of it is swept by the next run.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { diskError, errnoOf } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import { versionPath, type NodeLayout } from '../layout.ts';
import type { Version } from '../release.ts';
import { listingPath } from './listing-file.ts';
import { recordPath, REMOVED } from './stage.ts';

export async function removeVersion(version: Version, layout: NodeLayout, files: Files): Promise<void> {
  const removed = `${layout.versions}/${REMOVED}${randomBytes(12).toString('hex')}`;
  await files.rename(versionPath(layout, version), removed);
  await files.remove(recordPath(layout, version));
  await files.remove(listingPath(layout, version));
  await files.removeTree(removed);
}

/**
 * Whether a program of the version runs, whoever runs it: the kernel refuses to open a running program for writing. Asking
 * changes nothing, and needs no right to look at other users' processes, which the transaction does not have. Interpreted
 * programs are not seen. Throws DISK_.
 */
export async function isInUse(version: Version, layout: NodeLayout): Promise<boolean> {
  const top = versionPath(layout, version);
  try {
    for (const entry of await readdir(top, { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && (await isRunning(`${entry.parentPath}/${entry.name}`))) return true;
    }
    return false;
  } catch (error) {
    throw diskError(error, 'look at', top);
  }
}

async function isRunning(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)).close();
    return false;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ETXTBSY') return true;
    // Somebody has made it his own; what may not be executed is no program.
    if (errno === 'EACCES' && ((await lstat(path)).mode & 0o111) === 0) return false;
    throw error;
  }
}
