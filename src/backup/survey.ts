/** What a backup would hold, how it would be made, and what is against it. Changes nothing but a probe in the directory. */
import { lstat, realpath } from 'node:fs/promises';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { BackupContext } from './context.ts';
import type { Method } from './copy.ts';
import { matcher, SIGNING_STATE, type Matcher } from './glob.ts';
import { count, noTotals, type Totals } from './listing.ts';
import { chooseMethod } from './method.ts';
import { below, rawOf, realOf, textOf, type Raw } from './paths.ts';
import type { BackupRecord } from './record.ts';
import { mountsBelow, walk, type Entry, type WalkRules } from './walk.ts';

export interface Surveyed {
  /** As the operator wrote it. */
  readonly path: string;
  /** Without links above it. */
  readonly real: Raw;
  readonly kind: 'directory' | 'file';
  readonly mount: 'here' | 'elsewhere';
  readonly inode: bigint;
  readonly rules: WalkRules;
}

export interface Measured extends Surveyed {
  readonly totals: Readonly<Totals>;
  readonly method: Method;
}

/** The globs of what is never put back: ours, and the operator's. */
export function neverRestored(settings: BackupContext['settings']): readonly string[] {
  return [...SIGNING_STATE, ...settings.neverRestore];
}

const REMOUNTED = 'If it is right as it is, remove the old backups of this node (node-updater backup list).';

/** Each path of the configuration, looked at but not walked. Throws BACKUP_REFUSED. */
export async function surveyPaths(context: BackupContext, last: BackupRecord | undefined): Promise<Surveyed[]> {
  const excluded = matcher(context.settings.exclude);
  const surveyed: Surveyed[] = [];
  for (const path of context.settings.paths) surveyed.push(await surveyPath(path, excluded, context));
  for (const one of surveyed) {
    const before = last?.paths.find(({ path }) => path === one.path);
    if (before?.mount === 'here' && one.mount !== 'here') throw unmounted(one.path);
    if (surveyed.some((other) => other !== one && other.real === one.real)) throw nested(one.path, one.real);
    const outer = surveyed.find(({ real }) => one.real.startsWith(`${real}/`));
    if (outer !== undefined && one.mount !== 'here') throw nested(one.path, rawOf(outer.path));
  }
  return surveyed;
}

/** Walks each path, and finds how it is best copied. */
export async function measure(surveyed: readonly Surveyed[], context: BackupContext): Promise<Measured[]> {
  const { files, settings, run } = context;
  await files.makeDirectory(settings.directory, 0o700);
  for (const { real } of surveyed) await requireApart(real, settings.directory);
  const measured: Measured[] = [];
  for (const one of surveyed) {
    const totals = noTotals();
    let sample: Raw | undefined;
    for await (const step of walk(one.real, one.rules)) {
      count(step, totals);
      if (step.kind === 'entry') sample ??= sampleOf(one.real, step.entry);
    }
    const { kind, inode, real } = one;
    // What is mounted below shows in a snapshot as the directory underneath: cp and tar can leave it out.
    const plain = (one.rules.mounts?.size ?? 0) === 0;
    const candidate = { path: real, kind, inode: plain ? inode : 0n, sample };
    const method = await chooseMethod(candidate, settings.directory, settings.method, run);
    measured.push({ ...one, totals, method });
  }
  return measured;
}

function sampleOf(root: Raw, { type, size, path }: Entry): Raw | undefined {
  return type === 'file' && size > 0 ? below(root, path) : undefined;
}

async function surveyPath(path: string, excluded: Matcher, { heartbeat }: BackupContext): Promise<Surveyed> {
  const stats = await statsOf(path);
  if (stats.isSymbolicLink()) {
    throw refused(`${path} is a symbolic link`, `Name what it points at, ${await realpath(path)}, in backup.paths.`);
  }
  if (!stats.isDirectory() && !stats.isFile()) {
    throw refused(`${path} is neither a directory nor a file`, 'Take it out of backup.paths.');
  }
  const real = await realOf(rawOf(path));
  const { here, mounts } = await mountsBelow(real);
  const beat = (): void => {
    heartbeat.beat();
  };
  return {
    path,
    real,
    kind: stats.isDirectory() ? 'directory' : 'file',
    mount: here ? 'here' : 'elsewhere',
    inode: stats.ino,
    rules: { excluded, mounts, beat },
  };
}

async function statsOf(path: string) {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    const why = errno === 'ENOENT' ? 'is not there' : `cannot be looked at (${errno})`;
    throw refused(`${path} ${why}`, 'Mount or make it, or take it out of backup.paths.', error);
  }
}

function nested(path: string, outer: Raw): UpdaterError {
  return refused(
    `${path} lies within ${textOf(outer)}, on the same file system`,
    `Take ${path} out of backup.paths: it is in the backup of ${textOf(outer)} already.`,
  );
}

/** A restore would carry the backups away with the data, and the next commit remove them. By way of links, too. */
export async function requireApart(real: Raw, directory: string): Promise<void> {
  const place = await realOf(rawOf(directory));
  if (place !== real && !place.startsWith(`${real}/`)) return;
  throw refused(
    `${directory} is really ${textOf(place)}, which lies within ${textOf(real)}: the backups would be part of the data`,
    'Set backup.directory to a place outside of all backup.paths.',
  );
}

function unmounted(path: string): UpdaterError {
  return refused(
    `nothing is mounted at ${path}, but there was at the last backup`,
    `Mount it: mount ${path}. ${REMOUNTED}`,
  );
}

function refused(message: string, remedy: string, cause?: unknown): UpdaterError {
  return new UpdaterError('BACKUP_REFUSED', message, { remedy, cause });
}

export function describeLeftOut(rules: Totals): string {
  const parts = [
    rules.special > 0 ? `${rules.special} sockets, FIFOs or devices` : '',
    rules.boundary > 0 ? `${rules.boundary} other file systems` : '',
    rules.excluded > 0 ? `${rules.excluded} excluded` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `; left out: ${parts.join(', ')}`;
}
