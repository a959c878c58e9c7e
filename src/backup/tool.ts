import { UpdaterError } from '../errors.ts';
import type { Run, RunOptions } from '../host/ports.ts';
import type { Raw } from './paths.ts';

/** In English, whatever the host speaks: what they say decides the code of an error. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** An hour: what is not bounded by the amount of data. */
const TIMEOUT = 3_600_000;

/** What a program said on its standard error; throws DISK_FULL, DISK_READ_ONLY or DISK_IO when it failed. */
export async function tool(command: readonly string[], run: Run, options: RunOptions = {}): Promise<string> {
  const result = await run(command, { timeout: TIMEOUT, env: ENVIRONMENT, ...options });
  const said = result.stderr.toString('utf8').trim();
  if (result.status === 0) return said;
  const how = result.timedOut ? 'did not end in time' : `ended with ${result.status ?? result.signal ?? '?'}`;
  throw toolError(command, `${command[0] ?? ''} ${how}: ${said.slice(0, 2000)}`);
}

export function toolError(command: readonly string[], message: string): UpdaterError {
  const cause = new Error(command.join(' '));
  if (/no space left on device|disk quota exceeded/i.test(message)) {
    const remedy = 'Free space or inodes, or raise the quota (`df -h`, `df -i`). What was half made is removed.';
    return new UpdaterError('DISK_FULL', message, { remedy, cause });
  }
  if (/read-only file system/i.test(message)) {
    const remedy = 'Find out why the file system is read-only (`findmnt`, `dmesg`), and remount it read-write.';
    return new UpdaterError('DISK_READ_ONLY', message, { remedy, cause });
  }
  const remedy = 'Look at the files that are named, and at `dmesg` for disk errors. What was half made is removed.';
  return new UpdaterError('DISK_IO', message, { remedy, cause });
}

/** The input of `xargs -0`, each behind `prefix`. Written at once: a buffer for each of a million names is more than the room may hold. */
export function nullSeparated(paths: readonly Raw[], prefix: Raw = ''): Buffer {
  const bytes = Buffer.alloc(paths.reduce((sum, path) => sum + prefix.length + path.length + 1, 0));
  let at = 0;
  for (const path of paths) {
    at += bytes.write(prefix, at, 'latin1');
    at += bytes.write(path, at, 'latin1') + 1;
  }
  return bytes;
}
