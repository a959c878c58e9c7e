import type { BackupSettings } from '../settings.ts';

interface Kept {
  readonly id: string;
  readonly at: string;
  readonly bytes: number;
}

/**
 * Which backups go: those beyond `keep`, older than `keepAge`, or with which all together would be more than `keepSize`.
 * Never the newest, and never one that is `needed`. Pure. `backups`: newest first; `now`: milliseconds since the epoch.
 */
export function expired(
  backups: readonly Kept[],
  limits: Pick<BackupSettings, 'keep' | 'keepAge' | 'keepSize'>,
  needed: readonly string[],
  now: number,
): string[] {
  const safe = new Set([...backups.slice(0, 1).map(({ id }) => id), ...needed]);
  let size = backups.filter(({ id }) => safe.has(id)).reduce((sum, { bytes }) => sum + bytes, 0);
  return backups.flatMap((backup, at) => {
    if (safe.has(backup.id)) return [];
    const fits = size + backup.bytes <= (limits.keepSize ?? Infinity);
    const young = now - Date.parse(backup.at) <= (limits.keepAge ?? Infinity);
    if (at < limits.keep && young && fits) {
      size += backup.bytes;
      return [];
    }
    return [backup.id];
  });
}
