/**
 * Before each order: what this room does not leave in its cache directory by itself, but a fetch program that was taken over
 * does, so that every later fetch fails: a directory or FIFO under the name of a file, a link, a file without read permission.
 * Only this room can remove it: the transaction has no capability to delete in a directory that is not root's.
 *
 * Threat: the names, kinds, modes and depth of what is here are the attacker's. No link is followed, nothing is opened, no
 * path grows with the depth of a tree, and names need not be UTF-8.
 */
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { diskError } from '../errors.ts';

/** Its owner may read and write it. */
const USABLE = 0o600;

/**
 * Removes all but regular files of one link that this user owns, may read, and may write.
 * @returns the names removed
 * @throws UpdaterError DISK_*
 */
export async function tidyCache(directory: string): Promise<readonly string[]> {
  const removed: string[] = [];
  try {
    for (const name of await namesIn(directory)) {
      const path = within(directory, name);
      const facts = await lstat(path);
      if (isOurs(facts) && isText(name)) continue;
      await (facts.isDirectory() ? removeTree(path, directory) : unlink(path));
      removed.push(name.toString());
    }
    return removed;
  } catch (cause) {
    throw diskError(cause, 'tidy', directory);
  }
}

function isOurs(facts: Stats): boolean {
  return facts.isFile() && facts.nlink === 1 && facts.uid === process.geteuid?.() && (facts.mode & USABLE) === USABLE;
}

/** Each directory inside is first moved up beside the tree: however deep it was, its path is short. Killed, the next call ends it. */
async function removeTree(tree: Buffer, directory: string): Promise<void> {
  const doomed = [tree];
  for (let path = doomed.pop(); path !== undefined; path = doomed.pop()) {
    await chmod(path, 0o700);
    for (const name of await namesIn(path)) {
      const inner = within(path, name);
      if (!(await lstat(inner)).isDirectory()) {
        await unlink(inner);
        continue;
      }
      // A directory that is not writable cannot be moved: its `..` changes.
      await chmod(inner, 0o700);
      const beside = within(directory, Buffer.from(`.removed-${randomUUID()}`));
      await rename(inner, beside);
      doomed.push(beside);
    }
    await rmdir(path);
  }
}

function namesIn(path: string | Buffer): Promise<Buffer[]> {
  return readdir(path, { encoding: 'buffer' });
}

function within(path: string | Buffer, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(path), Buffer.from('/'), name]);
}

function isText(name: Buffer): boolean {
  return Buffer.from(name.toString()).equals(name);
}
