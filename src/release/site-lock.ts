/**
 * One publication at a time changes a published directory: between the last look at what is there and the rename that replaces
 * it nobody else may do the same, or two manifests bear one serial. flock(2) on the directory itself leaves no file that a
 * server would serve, and the kernel gives it back however we die.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { diskError } from '../errors.ts';
import type { Run } from '../host/ports.ts';
import { refusePublication } from './refuse.ts';

/** What is done under the lock takes a few flushes of the disk. */
const PATIENCE_SECONDS = 30;
const BUSY = 75;

/**
 * Does `change` while nobody else does. The directory must be there. Throws RELEASE_REFUSED when another publication holds it
 * all the time. A file system without such locks (some of NFS) is left with the last look, as short before as can be.
 */
export async function lockingSite<T>(directory: string, run: Run, change: () => Promise<T>): Promise<T> {
  await using handle = await opened(directory);
  const command = ['flock', '-x', '-w', String(PATIENCE_SECONDS), '-E', String(BUSY), '3'];
  const { status } = await run(command, { descriptors: [handle.fd], timeout: (PATIENCE_SECONDS + 10) * 1000 });
  if (status === BUSY) {
    throw refusePublication(
      `another publication has been changing ${directory} for ${PATIENCE_SECONDS} s`,
      `Wait until it has ended, then type the command again. To see who: fuser -v ${directory}`,
    );
  }
  return await change();
}

async function opened(directory: string) {
  try {
    return await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw diskError(error, 'open', directory);
  }
}
