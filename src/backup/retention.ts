import type { BackupSettings } from '../settings.ts';

interface Kept {
  readonly id: string;
  readonly at: string;
  readonly bytes: number;
}

/**
 * Which backups go: those beyond `keep`, the oldest one if it is older than `keepAge`, and those with which all together
 * would be more than `keepSize`. Never the newest, and never one that is `needed`. By age one goes for each new one that
 * comes: a clock that is years ahead takes one backup, not all of them. Pure. `backups`: newest first; `now`: milliseconds
 * since the epoch.
 */
export function expired(
  backups: readonly Kept[],
  limits: Pick<BackupSettings, 'keep' | 'keepAge' | 'keepSize'>,
  needed: readonly string[],
  now: number,
): string[] {
  const safe = new Set([...backups.slice(0, 1).map(({ id }) => id), ...needed]);
  let size = backups.filter(({ id }) => safe.has(id)).reduce((sum, { bytes }) => sum + bytes, 0);
  const tooOld = backups.slice(0, limits.keep).findLast(({ id, at }) => {
    return !safe.has(id) && now - Date.parse(at) > (limits.keepAge ?? Infinity);
  });
  return backups.flatMap((backup, at) => {
    if (safe.has(backup.id)) return [];
    const fits = size + backup.bytes <= (limits.keepSize ?? Infinity);
    if (at < limits.keep && backup !== tooOld && fits) {
      size += backup.bytes;
      return [];
    }
    return [backup.id];
  });
}
