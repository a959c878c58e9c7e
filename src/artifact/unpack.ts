/**
 * Unpacks an archive into a directory that is ours alone, in one pass.
 *
 * Threat: an archive that is hostile as a whole and good up to its last header. While it is read, the bodies of its files
 * are put into numbered files, closed to others (0600), in a directory whose name no archive may use: nothing that the archive
 * chose but bytes, of which there are never more than were signed. Only when every header was judged and the archive has
 * ended right are directories made, and each file gets its mode and its name; links come last, so none is there while
 * something is made. An archive that is refused has left nameless bytes, and the caller removes the directory. Owner and
 * times are this process's and now; modes are 0755 and 0644.
 *
 * What was written is listed, with a checksum of each file's bytes: for accidents later on, bit rot and edits. It is no
 * defence against attackers, since who can write a version is root; so it is CRC-32, which costs next to nothing
 * beside the decoder, where a cryptographic digest would be a third of all the work.
 */
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { crc32 } from 'node:zlib';
import { diskError } from '../errors.ts';
import { walkOrder, type Listed } from '../listing.ts';
import { readHeaders, type Bodies, type Inventory, type Progress, type SignedCounts } from './headers.ts';
import { malformed, quoted } from './refusal.ts';

/** Reserved in names.ts, whatever follows it. */
const NAMELESS = '.staging';
const DIRECTORY_MODE = 0o755;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Unpacks the archive at `path` (a verified copy of our own) into `directory`, which must exist, be empty and be closed to
 * everybody else. Resolves to what is in it then. Nothing is fsynced: the caller flushes the file system once. Rejects as
 * readHeaders does and with DISK_ errors, and leaves what it made.
 */
export async function unpack(
  path: string,
  signed: SignedCounts,
  directory: string,
  onProgress?: Progress,
): Promise<Listed[]> {
  const nameless = `${directory}/${NAMELESS}`;
  onDisk('make the directory', nameless, () => {
    mkdirSync(nameless, 0o700);
  });
  const bodies = numberedFiles(nameless);
  try {
    const inventory = await readHeaders(path, signed, onProgress, bodies);
    place(inventory, nameless, directory);
    return listing(inventory, bodies.checksums);
  } finally {
    bodies.abandon();
  }
}

/** Gives everything its name: directories, then files, then links. */
function place({ directories, items }: Inventory, nameless: string, root: string): void {
  requireEmpty(root);
  for (const path of directories) makeDirectory(`${root}/${path}`);
  let number = 0;
  for (const item of items) {
    if (item.kind === 'file') nameFile(numbered(nameless, number++), `${root}/${item.path}`, item.mode);
  }
  onDisk('remove the directory', nameless, () => {
    rmdirSync(nameless);
  });
  for (const item of items) {
    if (item.kind === 'link') makeLink(item.target, `${root}/${item.path}`);
  }
}

/** In walkOrder. */
function listing({ directories, items }: Inventory, checksums: readonly number[]): Listed[] {
  const listed: Listed[] = directories.map((path) => ({ kind: 'directory', path, mode: DIRECTORY_MODE }));
  let number = 0;
  for (const item of items) {
    if (item.kind === 'link') listed.push(item);
    if (item.kind === 'file') listed.push({ ...item, crc32: checksums[number++] ?? 0 });
  }
  return listed.sort((a, b) => walkOrder(a.path, b.path));
}

function makeDirectory(path: string): void {
  onDisk('make the directory', path, () => {
    mkdirSync(path, DIRECTORY_MODE);
    chmodSync(path, DIRECTORY_MODE); // the umask, a default ACL or a setgid parent may have changed it
  });
}

/** rename(2) replaces what stands at a name; here nothing may, and in what is empty no name is there twice (tree.ts). */
function requireEmpty(root: string): void {
  onDisk('unpack into', root, () => {
    const planted = readdirSync(root).find((name) => name !== NAMELESS);
    if (planted !== undefined) throw new Error(`something put ${quoted(planted)} there`);
  });
}

function nameFile(from: string, to: string, mode: number): void {
  onDisk('name', to, () => {
    chmodSync(from, mode);
    renameSync(from, to);
  });
}

function makeLink(target: string, path: string): void {
  onDisk('make the link', path, () => {
    symlinkSync(target, path);
  });
}

interface NumberedFiles extends Bodies {
  /** Of each file, by its number, once it is written. */
  readonly checksums: readonly number[];
  /** Closes what is open, when the archive ends early. */
  abandon(): void;
}

/** One file at a time, with as few system calls as can be: open, write, close. */
function numberedFiles(nameless: string): NumberedFiles {
  let next = 0;
  const checksums: number[] = [];
  let current: { readonly fd: number; readonly path: string; left: number; sum: number } | undefined;
  function close(): void {
    if (current === undefined) return;
    const { fd, path, sum } = current;
    current = undefined;
    checksums.push(sum);
    onDisk('close', path, () => {
      closeSync(fd);
    });
  }
  return {
    begin(size) {
      const path = numbered(nameless, next++);
      const fd = onDisk('make', path, () => openSync(path, NEW_FILE, 0o600));
      current = { fd, path, left: size, sum: 0 };
      if (size === 0) close();
    },
    write(bytes) {
      if (current === undefined) throw malformed('a body belongs to no file');
      writeAll(current.fd, bytes, current.path);
      current.sum = crc32(bytes, current.sum);
      current.left -= bytes.length;
      if (current.left === 0) close();
    },
    abandon: close,
    checksums,
  };
}

function numbered(nameless: string, number: number): string {
  return `${nameless}/${number}`;
}

function writeAll(fd: number, bytes: Buffer, path: string): void {
  onDisk('write', path, () => {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  });
}

function onDisk<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, action, path);
  }
}
