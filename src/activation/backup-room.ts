/**
 * The transaction's side of the backup room: writes the order, starts the unit, reads its answer. Who calls `createBackup` and
 * `restoreBackup` holds the node down: from before the call until a restore has succeeded, under the `restoring` file.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { CODES, errnoOf, UpdaterError, type ErrorCode } from '../errors.ts';
import {
  isForNodeUp,
  type BackupEstimate,
  type BackupLine,
  type BackupOrder,
  type BackupResult,
  type BackupWork,
} from '../orders.ts';
import type { Version } from '../release.ts';
import type { BackupSettings } from '../settings.ts';
import type { ActivationContext } from './context.ts';

/** A day: the room's own heartbeat is what ends one that hangs. */
const LONGEST = 86_400_000;

type Room = Pick<ActivationContext, 'layout' | 'settings' | 'files' | 'bus' | 'heartbeat'>;

/** Before the stop. Throws BACKUP_REFUSED, and DISK_FULL that names what each file system needs and has. */
export async function estimateBackup(context: Room): Promise<BackupEstimate> {
  return (await order({ kind: 'estimate' }, context)).estimate;
}

export interface Occasion {
  readonly reason: string;
  readonly from?: Version;
  readonly epoch?: number;
}

/** With the node down. The new backup's id; when it throws (BACKUP_*, DISK_*) there is none, and no data was touched. */
export async function createBackup(occasion: Occasion, context: Room): Promise<string> {
  return (await order({ kind: 'create', ...occasion }, context)).backup;
}

/** Before the stop, for a restore. Throws BACKUP_UNKNOWN, BACKUP_DAMAGED, BACKUP_SIGNING, BACKUP_REFUSED, HOST_MOUNT, DISK_FULL. */
export async function verifyBackup(backup: string, context: Room): Promise<void> {
  await order({ kind: 'verify', backup }, context);
}

/** With the node up again: its content is read, so that a restore will know damage. Not sealed it is restored all the same. */
export async function sealBackup(backup: string, context: Room): Promise<void> {
  await order({ kind: 'seal', backup }, context);
}

/**
 * With the node down. `restore` names this one (a transaction's id does): called again with the same name it goes on, or is done
 * already. Where what was there before is kept, until `dropBefore`. BACKUP_RESTORE, HOST_MOUNT: the node must stay down, and
 * the call be repeated. Any other code: the data is as it was.
 */
export async function restoreBackup(backup: string, restore: string, context: Room): Promise<readonly string[]> {
  return (await order({ kind: 'restore', backup, restore }, context)).before;
}

/** Goes on with restores that died between their renames; the names of all that are not dropped. With the node down. */
export async function finishRestores(context: Room): Promise<readonly string[]> {
  return (await order({ kind: 'finish' }, context)).restores;
}

/** Removes what a restore kept of the data before it. */
export async function dropBefore(restore: string, context: Room): Promise<void> {
  await order({ kind: 'drop', restore }, context);
}

/** Removes what `keep`, `keep_age` and `keep_size` do not keep, but never one of `needed`. The ids that went. */
export async function pruneBackups(needed: readonly string[], context: Room): Promise<readonly string[]> {
  return (await order({ kind: 'prune', needed }, context)).removed;
}

type ResultOf<Kind> = Extract<BackupResult, { readonly kind: Kind }>;

async function order<Work extends BackupWork>(work: Work, context: Room): Promise<ResultOf<Work['kind']>> {
  const { bus, layout, settings, heartbeat } = context;
  const id = randomUUID();
  const full: BackupOrder = { schema: 1, id, settings: backupOf(settings), ...work };
  const unit = `node-updater-${isForNodeUp(work) ? 'tend' : 'backup'}@${settings.node}.service`;
  await handOver(full, unit, context);
  const job = await heartbeat.during(bus.start(unit, LONGEST));
  const line = await readLine(layout.backupReport);
  if (line?.id !== id) throw died(unit, job);
  if (line.kind === 'failed') throw failure(line);
  if (line.result.kind !== work.kind) throw died(unit, job);
  return line.result as ResultOf<Work['kind']>;
}

/** What fails here says nothing about the data, and must not look as if the room had said it. */
async function handOver(full: BackupOrder, unit: string, { files, layout }: Room): Promise<void> {
  try {
    await files.makeDirectory(layout.run, 0o755);
    await files.remove(layout.backupReport);
    await files.replace(layout.backupOrder, JSON.stringify(full), 0o600);
  } catch (cause) {
    throw new UpdaterError('BACKUP_ROOM', `the order for ${unit} cannot be written`, {
      cause,
      remedy: `See what is wrong with ${layout.run}: df -h ${layout.run}; df -i ${layout.run}`,
    });
  }
}

function backupOf({ backup, file }: ActivationContext['settings']): BackupSettings {
  if (backup !== undefined) return backup;
  // Of its own code: what the room refuses, it has looked at.
  throw new UpdaterError(
    'CONFIG_INVALID',
    `${file}: the [backup] table is gone, without which nothing is done to data`,
    {
      remedy: `Add a [backup] table with paths to ${file}; /usr/share/doc/node-autoupdate/examples/example.toml explains it.`,
    },
  );
}

/** systemd makes the file, and the room alone writes to it; one that died has left none, or half a line. */
async function readLine(path: string): Promise<BackupLine | undefined> {
  try {
    const [line = ''] = (await readFile(path, 'utf8')).split('\n');
    return JSON.parse(line) as BackupLine;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function failure({ code, message, remedy }: Extract<BackupLine, { kind: 'failed' }>): UpdaterError {
  const known = code in CODES ? (code as ErrorCode) : 'BACKUP_ROOM';
  return new UpdaterError(known, message, { remedy });
}

function died(unit: string, job: string): UpdaterError {
  return new UpdaterError('BACKUP_ROOM', `${unit} left no answer (its job ended "${job}")`, {
    remedy: `See why: journalctl -u ${unit} -n 50. A backup that was being made is removed with the next; a restore goes on.`,
  });
}
