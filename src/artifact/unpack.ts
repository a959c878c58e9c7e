/**
 * The second pass: unpacks an archive whose headers were checked, into a directory that is ours alone.
 *
 * Threat: what the first pass has not seen. The archive is read again by the same cutter and must hold exactly the
 * inventory, item by item. Every file is made exclusively and never through a link, and links come last, so no link of the
 * archive is there while files are written. Owner and times are this process's and now; modes are 0755 and 0644.
 */
import { chmodSync, closeSync, constants, fchmodSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { diskError, UpdaterError } from '../errors.ts';
import { readTar } from './compression.ts';
import { cutter } from './cutter.ts';
import type { Entry } from './entry.ts';
import type { Inventory, Progress } from './headers.ts';
import { malformed, quoted } from './refusal.ts';

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Unpacks `path` into `directory`, which must exist, be empty and be closed to everybody else. Nothing is fsynced: the caller
 * flushes the file system once. Rejects with ARTIFACT_MALFORMED or DISK_ errors and leaves what it made.
 */
export async function unpack(
  path: string,
  inventory: Inventory,
  directory: string,
  onProgress?: Progress,
): Promise<void> {
  makeDirectories(inventory.directories, directory);
  await writeFiles(path, inventory.items, directory, onProgress);
  for (const item of inventory.items) {
    if (item.kind === 'link') makeLink(item.path, item.target, directory);
  }
}

function makeDirectories(directories: readonly string[], root: string): void {
  for (const path of directories) {
    const whole = `${root}/${path}`;
    onDisk('make the directory', whole, () => {
      mkdirSync(whole, 0o755);
      chmodSync(whole, 0o755); // the umask, a default ACL or a setgid parent may have changed it
    });
  }
}

function makeLink(path: string, target: string, root: string): void {
  onDisk('make the link', `${root}/${path}`, () => {
    symlinkSync(target, `${root}/${path}`);
  });
}

async function writeFiles(
  archive: string,
  items: readonly Entry[],
  root: string,
  onProgress: Progress | undefined,
): Promise<void> {
  const writer = fileWriter(root);
  let next = 0;
  const cut = cutter({
    found: ({ entry }) => {
      checkSame(entry, items[next++]);
      if (entry.kind === 'file') writer.open(entry.path, entry.mode, entry.size);
    },
    body: writer.write,
  });
  try {
    for await (const bytes of readTar(archive)) {
      cut.write(bytes);
      onProgress?.(bytes.length);
    }
    cut.end();
  } finally {
    writer.abandon();
  }
  if (next !== items.length) throw changed();
}

interface FileWriter {
  open(path: string, mode: number, size: number): void;
  write: (bytes: Buffer) => void;
  /** Closes what is open, when the archive ends early. */
  abandon(): void;
}

/** One file at a time, with as few system calls as can be: open, fchmod, write, close. */
function fileWriter(root: string): FileWriter {
  let current: { readonly fd: number; readonly path: string; left: number } | undefined;
  function close(): void {
    if (current === undefined) return;
    const { fd, path } = current;
    current = undefined;
    onDisk('close', path, () => {
      closeSync(fd);
    });
  }
  return {
    open(path, mode, size) {
      const whole = `${root}/${path}`;
      current = { fd: openNew(whole, mode), path: whole, left: size };
      if (size === 0) close();
    },
    write(bytes) {
      if (current === undefined) throw malformed('a body belongs to no file');
      writeAll(current.fd, bytes, current.path);
      current.left -= bytes.length;
      if (current.left === 0) close();
    },
    abandon: close,
  };
}

function openNew(path: string, mode: number): number {
  return onDisk('make', path, () => {
    const fd = openSync(path, NEW_FILE, mode);
    try {
      fchmodSync(fd, mode);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return fd;
  });
}

function writeAll(fd: number, bytes: Buffer, path: string): void {
  onDisk('write', path, () => {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  });
}

function checkSame(entry: Entry, expected: Entry | undefined): void {
  if (expected === undefined || !isSame(entry, expected)) throw changed(entry.path);
}

function isSame(a: Entry, b: Entry): boolean {
  if (a.path !== b.path) return false;
  switch (a.kind) {
    case 'file':
      return b.kind === 'file' && a.size === b.size && a.mode === b.mode;
    case 'link':
      return b.kind === 'link' && a.target === b.target;
    case 'directory':
      return b.kind === 'directory';
  }
}

function changed(path?: string): UpdaterError {
  const where = path === undefined ? '' : ` at ${quoted(path)}`;
  return malformed(`it has changed since its headers were checked${where}`);
}

function onDisk<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, action, path);
  }
}
