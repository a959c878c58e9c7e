import { open, readFile } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';

export interface Mount {
  readonly point: string;
  /** Of this mount alone: a bind mount may forbid what the file system behind it allows. */
  readonly options: readonly string[];
}

/** Pure: the mount of that id in the text of proc_pid_mountinfo(5). */
export function findMount(id: string, text: string): Mount | undefined {
  const [, , , , point, options] =
    text
      .split('\n')
      .map((line) => line.split(' '))
      .find(([first]) => first === id) ?? [];
  return point === undefined || options === undefined
    ? undefined
    : { point: unescape(point), options: options.split(',') };
}

/** Blanks, tabs, newlines and backslashes are written in octal. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/**
 * That `program` is there, and that programs may be run where it is. Without this look the node would be restarted only to
 * learn that it cannot start, and the version would be blamed for it. Throws DISK_NOEXEC, and HOST_STATE for a program
 * that is not there.
 */
export async function checkMayRun(program: string): Promise<void> {
  const mount = await mountOf(program);
  if (mount?.options.includes('noexec') === true) throw noExec(program, mount.point);
}

/** By the id that the kernel gives for the open file: names alone mislead where mounts cover each other. */
async function mountOf(program: string): Promise<Mount | undefined> {
  try {
    await using file = await open(program, 'r');
    const facts = await readFile(`/proc/self/fdinfo/${file.fd}`, 'utf8');
    const id = /^mnt_id:\s*(\d+)$/m.exec(facts)?.[1] ?? '';
    return findMount(id, await readFile('/proc/self/mountinfo', 'utf8'));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw diskError(error, 'look at', program);
    throw new UpdaterError('HOST_STATE', `${program} is not there`, {
      remedy: 'See whether `binary` in the file of the node is right for this version: node-updater config',
      cause: error,
    });
  }
}

function noExec(program: string, point: string): UpdaterError {
  return new UpdaterError('DISK_NOEXEC', `${point} is mounted noexec, so ${program} cannot be run`, {
    remedy:
      `Allow programs there: mount -o remount,exec ${point}, and take noexec out of its line in /etc/fstab, or it is back ` +
      'after the next boot. The node was not touched, and no version is blamed; the next run tries again.',
  });
}
