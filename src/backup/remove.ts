import { lstat, readdir, stat } from 'node:fs/promises';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { Run } from '../host/ports.ts';
import type { BackupContext } from './context.ts';
import { makeWritable, removeOurs } from './copy.ts';
import { isSubvolume } from './method.ts';
import { rawOf } from './paths.ts';
import { BACKUP_ID, listBackups } from './record.ts';
import { expired } from './retention.ts';

/** Removes a backup, or what is half made of one. Snapshots in it are emptied like any directory. */
export async function removeBackup(path: string, run: Run): Promise<void> {
  for (const name of await namesIn(path)) {
    const inside = `${path}/${name}`;
    const { ino } = await lstat(inside, { bigint: true });
    if (await isSubvolume(rawOf(inside), ino)) await makeWritable(rawOf(inside), run);
  }
  await removeOurs(rawOf(path), run);
}

/** Removes what a death left in the middle of a backup or of a removal. */
export async function sweepPartial(directory: string, run: Run): Promise<void> {
  for (const name of await namesIn(directory)) {
    if (isHalf(name)) await removeBackup(`${directory}/${name}`, run);
  }
}

/** Nothing else that is hidden there: an operator's directory may hold what is half made by others. */
function isHalf(name: string): boolean {
  const [, id = ''] = /^\.(.+)\.(?:partial|removed)$/.exec(name) ?? [];
  return BACKUP_ID.test(id);
}

export interface Pruned {
  readonly removed: readonly string[];
  /** What could not be removed, and why: a warning, never a failure. */
  readonly warnings: readonly string[];
}

/** Removes what retention.ts says. Renamed first: a backup that is half removed has no name of a backup. */
export async function pruneBackups(needed: readonly string[], context: BackupContext): Promise<Pruned> {
  const { settings, clock, files, log, run, heartbeat } = context;
  const { directory } = settings;
  const { backups } = await listBackups(directory);
  const removed: string[] = [];
  const warnings: string[] = [];
  for (const id of expired(backups, settings, needed, clock.now())) {
    try {
      const going = `${directory}/.${id}.removed`;
      await files.rename(`${directory}/${id}`, going);
      await heartbeat.during(removeBackup(going, run));
      removed.push(id);
    } catch (error) {
      if (!(error instanceof UpdaterError)) throw error;
      warnings.push(`${id} could not be removed: ${error.message}`);
    }
  }
  for (const warning of warnings) log.warn(warning);
  return { removed, warnings };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await stat(directory)).isDirectory() ? await readdir(directory) : [];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
