import { UpdaterError } from '../errors.ts';
import type { ActivationContext } from './context.ts';

/**
 * That what the node needs mounted is mounted: a daemon that is restarted while its data disk is away starts anew on an
 * empty directory, or fails and takes the blame. systemd is asked, because this room does not see all mounts. Throws
 * HOST_MOUNT; `then` says what has become of the node, and goes on when it is mounted.
 */
export async function checkRequiredMounts(
  then: string,
  { bus, settings }: Pick<ActivationContext, 'bus' | 'settings'>,
): Promise<void> {
  for (const path of settings.mounts) {
    if (await isMounted(mountUnit(path), bus)) continue;
    throw new UpdaterError('HOST_MOUNT', `${path} is not mounted`, {
      remedy: `Mount it: sudo systemctl start '${mountUnit(path)}'. ${then}`,
    });
  }
}

/** Who looks into an automount has it mounted, or fails: nobody meets the directory below it. */
async function isMounted(unit: string, bus: ActivationContext['bus']): Promise<boolean> {
  for (const name of [unit, unit.replace(/mount$/, 'automount')]) {
    if ((await bus.facts(name)).activeState === 'active') return true;
  }
  return false;
}

/** The unit of a mount point, as `systemd-escape --path --suffix=mount` writes it. `path` is absolute. Pure. */
export function mountUnit(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0) return '-.mount';
  const name = [...new TextEncoder().encode(parts.join('/'))]
    .map((byte, at) => {
      const letter = String.fromCharCode(byte);
      if (letter === '/') return '-';
      if (/[A-Za-z0-9:_]/.test(letter) || (letter === '.' && at > 0)) return letter;
      return `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
  return `${name}.mount`;
}
