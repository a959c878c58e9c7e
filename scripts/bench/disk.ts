/**
 * A file system of its own for each run that is compared. On one that has had a life, ext4 looks long for an inode among
 * those freed a moment ago, and the same program on the same disk takes twice as long an hour later: what is measured then
 * is the disk's past.
 */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measure } from './measure.ts';

export interface FreshDisk extends AsyncDisposable {
  readonly directory: string;
}

/** Bytes: an archive of 500 MB of files, their tree, and ext4's own tables; the file is sparse. */
const SIZE = 4_000_000_000;
// What mkfs leaves to be written in the background is written at once, or the run that is measured would share the disk with it.
const FORMAT = ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0'];

/** An empty ext4, mounted at `work`/disk; one at a time. Gone, with all that was on it, when it is disposed of. Throws what mkfs and mount say. */
export async function freshDisk(work: string): Promise<FreshDisk> {
  const image = join(work, 'disk.img');
  const directory = join(work, 'disk');
  mkdirSync(directory, { recursive: true });
  writeFileSync(image, '');
  truncateSync(image, SIZE);
  await measure(['mkfs.ext4', ...FORMAT, image]);
  await measure(['mount', '-o', 'loop,noatime', image, directory]);
  await measure(['sync', '-f', work]);
  return {
    directory,
    [Symbol.asyncDispose]: async () => {
      await measure(['umount', directory]);
      rmSync(image);
    },
  };
}
