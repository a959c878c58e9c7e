/**
 * Makes a backup of data that nobody writes to: its caller holds the node down. Under a temporary name, made durable, then
 * renamed: what has its final name is complete. The listing is made with it; the content is read when the node runs again
 * (seal.ts).
 */
import { randomBytes } from 'node:crypto';
import { UpdaterError } from '../errors.ts';
import type { BackupEstimate } from '../orders.ts';
import type { Version } from '../release.ts';
import type { BackupContext } from './context.ts';
import { cloneTree, copyListed, removeOurs, snapshotTree, type CopyJob, type Method } from './copy.ts';
import { firstDifference, readListing, writeListing, type Comparison, type Listed } from './listing.ts';
import { openDirectory, rawOf, realOf, type Raw } from './paths.ts';
import { backupId, listBackups, RECORD, type BackupRecord, type RecordedPath } from './record.ts';
import { removeBackup, sweepPartial } from './remove.ts';
import { requireSpace, secondsFor, timeoutFor } from './space.ts';
import { describeLeftOut, measure, neverRestored, surveyPaths, type Measured } from './survey.ts';
import { walk, type Step } from './walk.ts';

export interface Occasion {
  readonly reason: string;
  /** The version that wrote the data. */
  readonly from?: Version;
  readonly epoch?: number;
}

/**
 * What a backup would hold, need and take; to be asked before the node is stopped. Throws BACKUP_REFUSED, and DISK_FULL that
 * names what each file system needs and has.
 */
export async function estimateBackup(context: BackupContext): Promise<BackupEstimate> {
  const { measured, earlier } = await prepare(context);
  const paths = measured.map(({ path, method, totals }) => ({ path, method, ...totals }));
  const seconds = secondsFor(paths, earlier);
  const sum = (key: 'bytes' | 'entries') => paths.reduce((total, path) => total + path[key], 0);
  return { bytes: sum('bytes'), entries: sum('entries'), seconds, paths };
}

async function prepare(context: BackupContext) {
  const { directory } = context.settings;
  const { backups } = await listBackups(directory);
  const measured = await measure(await surveyPaths(context, backups[0]), context);
  await requireSpace(measured, rawOf(directory));
  return { measured, earlier: backups };
}

/**
 * Throws BACKUP_REFUSED, BACKUP_CHANGED when somebody wrote meanwhile, DISK_*; then nothing is left of it.
 */
export async function createBackup(occasion: Occasion, context: BackupContext): Promise<BackupRecord> {
  const { settings, files, clock, run, log, heartbeat } = context;
  const started = clock.monotonic();
  await heartbeat.during(sweepPartial(settings.directory, run));
  const { measured, earlier } = await prepare(context);
  const id = backupId(clock.now(), randomBytes(4).toString('hex'));
  const partial = `${settings.directory}/.${id}.partial`;
  await files.makeDirectory(partial, 0o700);
  try {
    const paths: RecordedPath[] = [];
    for (const [at, one] of measured.entries()) paths.push(await backUp(one, at, partial, context));
    const took = Number((clock.monotonic() - started) / 1000n);
    const record = recordOf({ id, number: (earlier[0]?.number ?? 0) + 1 }, occasion, paths, took, context);
    await files.replace(`${partial}/${RECORD}`, `${JSON.stringify(record, undefined, 2)}\n`, 0o600);
    await heartbeat.during(files.syncFileSystem(partial));
    await files.rename(partial, `${settings.directory}/${id}`);
    return record;
  } catch (error) {
    await heartbeat.during(removeBackup(partial, run)).catch((second: unknown) => {
      log.warn(`${partial} could not be removed: ${String(second)}`);
    });
    throw error;
  }
}

function recordOf(
  name: Pick<BackupRecord, 'id' | 'number'>,
  { reason, from, epoch }: Occasion,
  paths: RecordedPath[],
  took: number,
  { node, settings, clock }: BackupContext,
): BackupRecord {
  const sum = (key: 'bytes' | 'entries') => paths.reduce((total, path) => total + path[key], 0);
  return {
    schema: 1,
    ...name,
    node,
    at: new Date(clock.now()).toISOString(),
    reason,
    ...(from === undefined ? {} : { from }),
    ...(epoch === undefined ? {} : { epoch }),
    took,
    entries: sum('entries'),
    bytes: sum('bytes'),
    exclude: [...settings.exclude],
    neverRestore: [...neverRestored(settings)],
    paths,
  };
}

async function backUp(one: Measured, at: number, partial: string, context: BackupContext): Promise<RecordedPath> {
  const { heartbeat, log } = context;
  heartbeat.status(`Backing up ${one.path}`);
  await using into = await openDirectory(await realOf(rawOf(partial)));
  const job: CopyJob = {
    source: one.real,
    kind: one.kind,
    into,
    name: String(at),
    timeout: timeoutFor(one.totals),
  };
  const place = { job, listing: `${partial}/${at}.listing`, copy: rawOf(`${partial}/${at}`) };
  const { method, listed } = await byMethod(one, place, context);
  log.info(`${one.path}: ${listed.entries} entries, ${method}${describeLeftOut(listed)}`);
  const { entries, bytes, excluded, special, boundary, sha256 } = listed;
  const { path, kind, mount } = one;
  return { path, kind, mount, method, entries, bytes, excluded, special, boundary, listing: sha256 };
}

interface Place {
  readonly job: CopyJob;
  readonly listing: string;
  readonly copy: Raw;
}

async function byMethod(
  one: Measured,
  place: Place,
  context: BackupContext,
): Promise<{ readonly method: Method; readonly listed: Listed }> {
  if (one.method === 'snapshot') return { method: 'snapshot', listed: await bySnapshot(one, place, context) };
  const omitted: Raw[] = [];
  const entries: Raw[] = [];
  const seen = noting(walk(one.real, one.rules), entries);
  const listed = await writeListing(place.listing, seen, (path) => omitted.push(path));
  const method = await carryOver(one, place, entries, omitted, context);
  await compare(one, place.listing, walk(one.real, one.rules), 'with-ctime');
  await compare(one, place.listing, walk(place.copy, { ...one.rules, excluded: () => false }), 'copy');
  return { method, listed };
}

/** A snapshot is quiet from its first moment on: the listing is made of it, not of the data. */
async function bySnapshot(one: Measured, place: Place, { heartbeat, run }: BackupContext): Promise<Listed> {
  await heartbeat.during(snapshotTree(place.job, run));
  return writeListing(place.listing, walk(place.copy, { ...one.rules, inSnapshot: 'in-snapshot' }));
}

async function carryOver(
  one: Measured,
  { job, copy }: Place,
  entries: readonly Raw[],
  omitted: readonly Raw[],
  { heartbeat, run, settings, log }: BackupContext,
): Promise<Method> {
  if (one.method === 'reflink') {
    try {
      await heartbeat.during(cloneTree(job, omitted, run));
      return 'reflink';
    } catch (error) {
      // One file could be cloned, and another not (a file without copy-on-write, a device).
      if (settings.method !== 'auto' || !(error instanceof UpdaterError) || error.code !== 'DISK_IO') throw error;
      log.info(`${one.path} cannot be cloned as a whole, and is copied: ${error.message}`);
      await heartbeat.during(removeOurs(copy, run));
    }
  }
  await heartbeat.during(copyListed(job, entries, run));
  return 'copy';
}

async function* noting(steps: AsyncIterable<Step>, entries: Raw[]): AsyncGenerator<Step> {
  for await (const step of steps) {
    if (step.kind === 'entry') entries.push(step.entry.path);
    yield step;
  }
}

async function compare(
  { path }: Measured,
  listing: string,
  steps: AsyncIterable<Step>,
  how: Comparison,
): Promise<void> {
  const difference = await firstDifference(readListing(listing), steps, how);
  if (difference === undefined) return;
  const file = difference.path === '' ? path : `${path}/${difference.path}`;
  const whose = how === 'copy' ? 'in the copy' : 'while it was copied';
  throw new UpdaterError('BACKUP_CHANGED', `${file} ${difference.what} ${whose}`, {
    remedy:
      how === 'copy'
        ? 'Look whether the file system of backup.directory keeps owners, modes and times. No backup was made.'
        : `Find out what else writes there (fuser -vm ${path}) and stop it with the node. No backup was made.`,
  });
}
