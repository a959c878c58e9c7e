/** Reading a backup's content: once to write down what it is (`seal`), later to see that it still is that (`verify`). */
import { errnoOf, UpdaterError } from '../errors.ts';
import type { BackupContext } from './context.ts';
import { firstDamage, writeDigests } from './content.ts';
import { matcher } from './glob.ts';
import { firstDifference, readListing, sha256OfFile, type Difference } from './listing.ts';
import { rawOf, type Raw } from './paths.ts';
import { damaged, listBackups, readRecord, RECORD, type BackupRecord, type RecordedPath } from './record.ts';
import { walk, type WalkRules } from './walk.ts';

type Sealing = Pick<BackupContext, 'files' | 'heartbeat'> & { readonly settings: { readonly directory: string } };

/**
 * Reads every file of a backup and writes its SHA-256 into the record. For after the node runs again. Idempotent. Throws
 * BACKUP_UNKNOWN, BACKUP_DAMAGED when the copy is no longer what was listed, DISK_*.
 */
export async function sealBackup(id: string, context: Sealing): Promise<BackupRecord> {
  const { settings, files, heartbeat } = context;
  const record = await readRecord(settings.directory, id);
  if (record.paths.every(({ digests }) => digests !== undefined)) return record;
  const home = `${settings.directory}/${id}`;
  const paths: RecordedPath[] = [];
  for (const [at, path] of record.paths.entries()) {
    await requireListed(record, at, context);
    const digests = await writeDigests(`${home}/${at}.listing`, rawOf(`${home}/${at}`), `${home}/${at}.digests`, () => {
      heartbeat.beat();
    });
    paths.push({ ...path, digests });
  }
  const sealed = { ...record, paths };
  await files.replace(`${home}/${RECORD}`, `${JSON.stringify(sealed, undefined, 2)}\n`, 0o600);
  return sealed;
}

/** Seals this backup, then those whose reading was cut short; what is wrong with one of them is a warning. Throws as `sealBackup` does. */
export async function sealAll(id: string, context: BackupContext): Promise<void> {
  await sealBackup(id, context);
  const { backups } = await listBackups(context.settings.directory);
  for (const left of backups) {
    try {
      await sealBackup(left.id, context);
    } catch (error) {
      if (!(error instanceof UpdaterError)) throw error;
      context.log.warn(`The backup ${left.id} could not be sealed: ${error.message}`, { code: error.code });
    }
  }
}

/** Throws BACKUP_DAMAGED with the first file that is not what was backed up; reads only. Resolves to the record. */
export async function verifyBackup(id: string, context: Omit<Sealing, 'files'>): Promise<BackupRecord> {
  const record = await readRecord(context.settings.directory, id);
  for (const at of record.paths.keys()) {
    await requireListed(record, at, context);
    const { root } = placeOf(record, at, context.settings.directory);
    await requireContent(record, at, root, () => false, context);
  }
  return record;
}

export function placeOf(record: BackupRecord, at: number, directory: string) {
  const home = `${directory}/${record.id}`;
  return { root: rawOf(`${home}/${at}`), listing: `${home}/${at}.listing`, digests: `${home}/${at}.digests` };
}

/** How the walk of a backed-up path inside its backup goes. A snapshot holds what was excluded. */
export function rulesInside(record: BackupRecord, at: number, excluded: (path: Raw) => boolean): WalkRules {
  if (record.paths[at]?.method !== 'snapshot') return { excluded };
  const wasExcluded = matcher(record.exclude);
  return { excluded: (path) => excluded(path) || wasExcluded(path), inSnapshot: 'in-snapshot' };
}

async function requireListed(record: BackupRecord, at: number, context: Omit<Sealing, 'files'>): Promise<void> {
  await requireListing(record, at, context);
  const { root, listing } = placeOf(record, at, context.settings.directory);
  const beat = (): void => {
    context.heartbeat.beat();
  };
  const rules = { ...rulesInside(record, at, () => false), beat };
  const difference = await missingIsDamage(
    () => firstDifference(readListing(listing), walk(root, rules), 'copy'),
    root,
  );
  if (difference !== undefined) throw damage(record, at, difference);
}

/** That the listing is the one that was written with the record. */
export async function requireListing(
  record: BackupRecord,
  at: number,
  { settings }: Pick<Sealing, 'settings'>,
): Promise<void> {
  const { listing } = placeOf(record, at, settings.directory);
  const found = await missingIsDamage(() => sha256OfFile(rawOf(listing)), rawOf(listing));
  if (found !== record.paths[at]?.listing) throw damaged(`${listing} is not what was written with the backup`);
}

/** That the files below `root`, a backup or a copy of one, hold what they held; those that `left` says are not there. */
export async function requireContent(
  record: BackupRecord,
  at: number,
  root: Raw,
  left: (path: Raw) => boolean,
  { settings, heartbeat }: Omit<Sealing, 'files'>,
): Promise<void> {
  const wanted = record.paths[at]?.digests;
  if (wanted === undefined) return;
  const { digests } = placeOf(record, at, settings.directory);
  if ((await missingIsDamage(() => sha256OfFile(rawOf(digests)), rawOf(digests))) !== wanted) {
    throw damaged(`${digests} is not what was written with the backup`);
  }
  const beat = (): void => {
    heartbeat.beat();
  };
  const difference = await missingIsDamage(() => firstDamage(digests, root, left, beat), root);
  if (difference !== undefined) throw damage(record, at, difference);
}

/** ENOENT and EIO here speak against the backup. */
async function missingIsDamage<T>(work: () => Promise<T>, path: Raw): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined && !(error instanceof SyntaxError)) throw error;
    throw damaged(`the backup cannot be read whole: ${path}`, error);
  }
}

export function damage(record: BackupRecord, at: number, { path, what }: Difference): Error {
  const root = record.paths[at]?.path ?? '';
  return damaged(`the backup ${record.id} is damaged: ${path === '' ? root : `${root}/${path}`} ${what}`);
}
