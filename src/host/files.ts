/**
 * The durable changes to the disk (DESIGN.md section 10, "Durability"). Two rules hold everywhere here:
 * - A failed fsync is never repeated on the same descriptor: the kernel reports a lost write once and forgets it, so the
 *   second call would say that all is well. The file is thrown away, or the caller is told that the outcome is in doubt.
 * - Whatever a name stood for stays whole until the one rename(2) that replaces it, so a temporary name is random, made
 *   exclusively, and gone again when anything fails.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm, stat, symlink, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { diskError, errnoOf } from '../errors.ts';
import { exists, ifThere } from '../if-there.ts';
import type { Content, Files, Run } from './ports.ts';

const SYNC_TIMEOUT = 10 * 60 * 1000;
const PARENT_MODE = 0o755;
/** What `temporaryBeside` makes of a name; no name of anybody else's looks so by accident. */
const TEMPORARY = /^\.(.+)\.[0-9a-f]{24}$/;

/** The Files port. `run` starts sync(1): Node has no syncfs(2). */
export function durableFiles(run: Run): Files {
  return {
    replace,
    mark,
    append,
    truncate,
    symlink: makeLink,
    rename: renameDurably,
    switchLink,
    remove,
    makeDirectory,
    removeTree,
    sweep,
    flushDirectory: (path) => reporting('flush', path, () => syncDirectory(path)),
    syncFileSystem: (path) => syncFileSystem(run, path),
  };
}

async function replace(path: string, bytes: Content, mode: number): Promise<void> {
  const temporary = temporaryBeside(path);
  await reporting('replace', path, async () => {
    await removingOnFailure(temporary, async () => {
      await writeNew(temporary, bytes, mode);
      await rename(temporary, path);
    });
    await syncDirectory(dirname(path));
  });
}

async function mark(path: string, text: string): Promise<void> {
  await reporting('write', path, async () => {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    await using file = await open(path, flags, 0o644);
    await file.chmod(0o644);
    await file.writeFile(text);
  });
}

async function writeNew(path: string, bytes: Content, mode: number): Promise<void> {
  await using file = await open(path, 'wx', mode);
  await file.chmod(mode); // open(2) takes the umask off
  await file.writeFile(bytes);
  await file.sync();
}

async function append(path: string, bytes: string, mode: number): Promise<void> {
  await reporting('append to', path, async () => {
    if (await appendToExisting(path, bytes)) return;
    await removingOnFailure(path, () => writeNew(path, bytes, mode));
    await syncDirectory(dirname(path));
  });
}

/** False when there is no such file. */
async function appendToExisting(path: string, bytes: string): Promise<boolean> {
  await using file = await ifThere(
    open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW),
    undefined,
  );
  if (file === undefined) return false;
  const { size } = await file.stat();
  await cuttingBackOnFailure(file, size, () => file.appendFile(bytes));
  await file.sync();
  return true;
}

/** A write that failed half-way would leave a torn line for the next one to be glued to. */
async function cuttingBackOnFailure(file: FileHandle, size: number, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    await keeping(error, () => file.truncate(size));
  }
}

async function truncate(path: string, size: number): Promise<void> {
  await reporting('cut', path, async () => {
    await using file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    await file.truncate(size);
    await file.sync();
  });
}

async function makeLink(text: string, path: string): Promise<void> {
  await reporting('make the link', path, async () => {
    await symlink(text, path);
    await syncDirectory(dirname(path));
  });
}

async function renameDurably(from: string, to: string): Promise<void> {
  await reporting(`rename ${from} to`, to, async () => {
    await rename(from, to);
    await syncDirectory(dirname(to));
  });
}

async function switchLink(text: string, path: string): Promise<void> {
  const temporary = temporaryBeside(path);
  await reporting('switch the link', path, async () => {
    await symlink(text, temporary);
    await removingOnFailure(temporary, () => rename(temporary, path));
    await syncDirectory(dirname(path));
  });
}

/** The directory is flushed also when nothing was there: an earlier removal may have died before its own flush. */
async function remove(path: string): Promise<void> {
  await reporting('remove', path, async () => {
    await unlinkIfThere(path);
    await syncDirectoryIfThere(dirname(path));
  });
}

/** Missing parents get 0755 whatever the mode: they hold more than this one directory. */
async function makeDirectory(path: string, mode: number): Promise<void> {
  await reporting('make the directory', path, async () => {
    if (await isDirectory(path)) return;
    await makeDirectoryOnce(path, mode);
  });
}

async function makeDirectoryOnce(path: string, mode: number): Promise<void> {
  const parent = dirname(path);
  if (!(await isDirectory(parent))) await makeDirectoryOnce(parent, PARENT_MODE);
  await mkdir(path, mode);
  // mkdir(2) takes the umask off. Only then: chmod(2) would also clear a setgid bit that the parent handed down.
  if (((await stat(path)).mode & 0o777) !== mode) await chmod(path, mode);
  await syncDirectory(parent);
}

async function removeTree(path: string): Promise<void> {
  await reporting('remove the tree', path, async () => {
    await rm(path, { recursive: true, force: true });
    await syncDirectoryIfThere(dirname(path));
  });
}

async function sweep(directory: string, ours: (name: string) => boolean): Promise<void> {
  await reporting('sweep', directory, async () => {
    if (!(await exists(directory))) return;
    for (const name of await readdir(directory)) {
      const intended = TEMPORARY.exec(name)?.[1];
      if (intended !== undefined && ours(intended)) await unlinkIfThere(join(directory, name));
    }
  });
}

async function syncFileSystem(run: Run, path: string): Promise<void> {
  await reporting('flush the file system of', path, async () => {
    const result = await run(['sync', '-f', path], { timeout: SYNC_TIMEOUT, env: { LC_ALL: 'C' } });
    if (result.status === 0) return;
    const said = result.timedOut ? 'sync -f did not end in time' : result.stderr.toString('utf8').trim();
    throw Object.assign(new Error(said), { code: errnoSaid(said) });
  });
}

/** sync(1) puts the error in words only. */
function errnoSaid(text: string): string {
  if (/no space left on device/i.test(text)) return 'ENOSPC';
  if (/disk quota exceeded/i.test(text)) return 'EDQUOT';
  if (/read-only file system/i.test(text)) return 'EROFS';
  return 'EIO';
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await directory.sync();
}

async function syncDirectoryIfThere(path: string): Promise<void> {
  if (await exists(path)) await syncDirectory(path);
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await exists(path)) && (await stat(path)).isDirectory();
}

function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(12).toString('hex')}`);
}

async function removingOnFailure(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw error; // exclusive creation found somebody else's file
    await keeping(error, () => unlinkIfThere(path));
  }
}

/** Cleans up after `error` and throws it; when that fails too, both stay to be seen. */
async function keeping(error: unknown, cleanUp: () => Promise<void>): Promise<never> {
  try {
    await cleanUp();
  } catch (second) {
    throw Object.assign(new AggregateError([error, second], 'and cleaning up failed too'), { code: errnoOf(error) });
  }
  throw error;
}

async function reporting(action: string, path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw diskError(error, action, path);
  }
}
