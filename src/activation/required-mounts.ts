import { UpdaterError } from '../errors.ts';
import type { ActivationContext } from './context.ts';

/**
 * That what the node needs mounted is mounted: a daemon that is restarted while its data disk is away starts anew on an
 * empty directory, or fails and takes the blame. systemd is asked, because this room does not see all mounts. Throws
 * HOST_MOUNT.
 */
export async function checkRequiredMounts({ bus, settings }: ActivationContext): Promise<void> {
  for (const path of settings.mounts) {
    const { activeState } = await bus.facts(mountUnit(path));
    if (activeState === 'active') continue;
    throw new UpdaterError('HOST_MOUNT', `${path} is not mounted`, {
      remedy: `Mount it: systemctl start '${mountUnit(path)}'. The node was not touched, and the next run tries again.`,
    });
  }
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
