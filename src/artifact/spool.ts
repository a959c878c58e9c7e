/**
 * Root's side of the fetch room's spool.
 *
 * Threat: the fetch room was taken over and writes the spool while it is read. It may put a link, a FIFO, a device or a
 * hard link to somebody's secret in place of a file, change a file after it was checked, or let it grow for ever. So the
 * directory and the file are opened without following links and without waiting, judged by fstat on what was
 * opened, and read once, up to a limit. An archive is copied into a file of our own, and only that copy is read from then
 * on: its digest is taken, its signature checked and its content unpacked from what lies there (digest.ts).
 */
import { constants, type Stats } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';

export interface SpoolFile {
  /** The spool directory; only its owner may write in it. */
  readonly directory: string;
  /** One path component. */
  readonly name: string;
  /** Most bytes to take. */
  readonly limit: number;
  /** The user id that directory and file must have; the directory's own owner when it is left out. */
  readonly owner?: number;
}

const CHUNK = 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o022;
const NO_WAIT = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const REMEDY =
  'The next run fetches it again. If it stays so, look at the spool as root, and at who may write there, before trusting it.';

/**
 * Copies a spool file to `destination` (which must not exist; made 0600, removed again on failure) and says how many bytes
 * that were. Whether they are the signed ones is for the caller to see, in the copy. Throws TRUST_SPOOL, TRUST_SIZE or DISK_.
 */
export async function takeCopy(spool: SpoolFile, destination: string): Promise<number> {
  return reading(spool, async (file) => {
    await using copy = await openCopy(destination);
    try {
      return await copyOnce(file, copy, spool, destination);
    } catch (error) {
      await removeCopy(destination, error);
      throw error;
    }
  });
}

/** A small spool file, whole (a report, a manifest, a signature). Throws as takeCopy does. */
export async function readSpool(directory: string, name: string, limit: number, owner?: number): Promise<Buffer> {
  const spool = { directory, name, limit, ...(owner === undefined ? {} : { owner }) };
  return reading(spool, async (file) => {
    const chunks: Buffer[] = [];
    for await (const bytes of bytesOf(file, spool)) chunks.push(Buffer.from(bytes));
    return Buffer.concat(chunks);
  });
}

async function reading<T>(spool: SpoolFile, use: (file: FileHandle) => Promise<T>): Promise<T> {
  checkName(spool);
  try {
    await using directory = await open(spool.directory, NO_WAIT | constants.O_DIRECTORY);
    const owner = checkDirectory(await directory.stat(), spool);
    // Through the descriptor, so that the directory that was checked is the one that is searched.
    await using file = await open(`/proc/self/fd/${directory.fd}/${spool.name}`, NO_WAIT);
    checkFile(await file.stat(), owner, spool);
    return await use(file);
  } catch (error) {
    throw spoolError(error, spool);
  }
}

function checkName(spool: SpoolFile): void {
  const { name } = spool;
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw refused(spool, 'has no safe name');
}

function checkDirectory(stats: Stats, spool: SpoolFile): number {
  const owner = spool.owner ?? stats.uid;
  if (stats.uid !== owner) throw refused(spool, `lies in a directory of user ${stats.uid}, not ${owner}`);
  if ((stats.mode & WRITABLE_BY_OTHERS) !== 0) throw refused(spool, 'lies in a directory where others may write');
  return owner;
}

function checkFile(stats: Stats, owner: number, spool: SpoolFile): void {
  if (!stats.isFile()) throw refused(spool, 'is no regular file');
  if (stats.nlink !== 1) throw refused(spool, `has ${stats.nlink} names`);
  if (stats.uid !== owner) throw refused(spool, `belongs to user ${stats.uid}, not ${owner}`);
  if (stats.size > spool.limit) throw tooLarge(spool);
}

/** Each piece is only valid until the next is asked for. Asks for one byte more than the limit, to see that it is not there. */
async function* bytesOf(file: FileHandle, spool: SpoolFile): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, spool.limit + 1));
  for (let size = 0; ;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, spool.limit + 1 - size), null);
    if (bytesRead === 0) return;
    size += bytesRead;
    if (size > spool.limit) throw tooLarge(spool);
    yield buffer.subarray(0, bytesRead);
  }
}

async function copyOnce(file: FileHandle, copy: FileHandle, spool: SpoolFile, destination: string): Promise<number> {
  let size = 0;
  for await (const bytes of bytesOf(file, spool)) {
    await writeAll(copy, bytes, destination);
    size += bytes.length;
  }
  return size;
}

async function openCopy(destination: string): Promise<FileHandle> {
  try {
    return await open(destination, NEW_FILE, 0o600);
  } catch (error) {
    throw diskError(error, 'make', destination);
  }
}

async function writeAll(copy: FileHandle, bytes: Buffer, destination: string): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += (await copy.write(bytes, at)).bytesWritten;
  } catch (error) {
    throw diskError(error, 'write', destination);
  }
}

async function removeCopy(destination: string, cause: unknown): Promise<void> {
  try {
    await unlink(destination);
  } catch (error) {
    throw diskError(new AggregateError([cause, error], 'the copy could not be removed'), 'remove', destination);
  }
}

/** What open(2) says when something else than a plain file or directory stands at the name. */
const ODD_FILE = new Set(['ELOOP', 'ENOTDIR', 'ENXIO', 'ENODEV', 'ENOENT']);

function spoolError(error: unknown, spool: SpoolFile): UpdaterError {
  if (error instanceof UpdaterError) return error;
  const errno = errnoOf(error);
  if (errno !== undefined && ODD_FILE.has(errno)) return refused(spool, `cannot be opened safely (${errno})`, error);
  return diskError(error, 'read', pathOf(spool));
}

function refused(spool: SpoolFile, why: string, cause?: unknown): UpdaterError {
  return new UpdaterError('TRUST_SPOOL', `the spool file ${pathOf(spool)} ${why}`, { remedy: REMEDY, cause });
}

function tooLarge(spool: SpoolFile): UpdaterError {
  const message = `the spool file ${pathOf(spool)} has more than the ${spool.limit} bytes that are allowed`;
  return new UpdaterError('TRUST_SIZE', message, { remedy: REMEDY });
}

function pathOf({ directory, name }: SpoolFile): string {
  return `${directory}/${JSON.stringify(name).slice(1, -1)}`;
}
