/**
 * One transaction per node at a time (F109, F110). flock(2) on a file that only root can open: the lock belongs to the open file, so the
 * kernel gives it back however we die, and nothing stale can be left. flock(1) takes it on a descriptor that it inherits from us, since Node
 * cannot; the lock outlives the helper.
 *
 * Threat model: a lock file that others could open could be locked by them for ever, so its mode is 0600; its directory is root's. What
 * stands in the file is for messages alone, and is only read while somebody holds the lock.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import type { Lock, Run } from './ports.ts';

/** EX_TEMPFAIL, as our own exit code for "locked". */
const BUSY = 75;
const TIMEOUT = 10_000;
const LONGEST_NOTE = 200;

/**
 * Takes the lock at `path` or rejects at once: HOST_LOCKED when it is held (the message says by whom, if they said), DISK_* or
 * USAGE_NOT_PERMITTED when the file cannot be opened, HOST_TOOL when flock(1) does not work. `holder` says who we are, in a few words.
 */
export async function takeLock(path: string, holder: string, run: Run): Promise<Lock> {
  const file = await openLockFile(path);
  try {
    await lock(file, path, run);
    await leaveNote(file, path, `${process.pid} ${holder}`);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      await file.close();
    },
  };
}

async function openLockFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (cause) {
    const errno = errnoOf(cause);
    const denied = errno === 'EACCES' || errno === 'EPERM';
    const code = denied ? 'USAGE_NOT_PERMITTED' : errno === 'EROFS' ? 'DISK_READ_ONLY' : 'DISK_IO';
    throw new UpdaterError(code, `cannot open the lock ${path}`, {
      remedy: denied
        ? 'This needs root: type the command again with sudo.'
        : `Look at it, and at the directories above: namei -l ${path}`,
      cause,
    });
  }
}

async function lock(file: FileHandle, path: string, run: Run): Promise<void> {
  const result = await run(['flock', '-n', '-E', String(BUSY), '3'], { descriptors: [file.fd], timeout: TIMEOUT });
  if (result.status === 0) return;
  if (result.status === BUSY) {
    throw new UpdaterError('HOST_LOCKED', `another run holds ${path}${await readNote(file)}`, {
      remedy: 'Wait until it has ended and try again. To see it, type: node-updater status, or systemctl list-jobs',
    });
  }
  throw new UpdaterError('HOST_TOOL', `flock could not lock ${path}`, {
    remedy: 'Type: flock --version. It is part of the package util-linux.',
    cause: new Error(result.timedOut ? `no answer within ${TIMEOUT} ms` : result.stderr.toString('utf8').trim()),
  });
}

async function leaveNote(file: FileHandle, path: string, note: string): Promise<void> {
  try {
    await file.truncate(0);
    await file.write(note, 0, 'utf8');
  } catch (error) {
    throw diskError(error, 'write', path);
  }
}

/** Empty when the holder has not signed yet. */
async function readNote(file: FileHandle): Promise<string> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(LONGEST_NOTE), 0, LONGEST_NOTE, 0);
  const note = /^(\d+) ([ -~]+)$/.exec(buffer.toString('utf8', 0, bytesRead));
  return note === null ? '' : `: ${note[2] ?? ''} (pid ${note[1] ?? ''})`;
}
