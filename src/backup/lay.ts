/** Lays a backup beside the data, checked, so that nothing but renames is left to do (restore.ts). */
import { mkdir, readdir, type FileHandle } from 'node:fs/promises';
import type { BackupContext } from './context.ts';
import { addListed, cloneTree, copyListed, removeOurs, type CopyJob } from './copy.ts';
import { within } from './glob.ts';
import type { RestoreTarget } from './journal.ts';
import { firstDifference, readListing, type ListedEntry } from './listing.ts';
import { canClone } from './method.ts';
import { isThere, placesFor, planMoves, staying, type Present } from './moves.ts';
import {
  ancestorsOf,
  below,
  bytesOf,
  nameOf,
  numbered,
  openDirectory,
  parentOf,
  realOf,
  textOf,
  type Raw,
} from './paths.ts';
import type { BackupRecord } from './record.ts';
import { lookInItsPlace, type Rules } from './restorable.ts';
import { damage, placeOf, requireContent, rulesInside } from './seal.ts';
import { requireRestoreSpace, timeoutFor } from './space.ts';
import { OURS, walk } from './walk.ts';

/** `works` gets the directory to remove should the restore come to nothing. */
export async function layBeside(
  record: BackupRecord,
  at: number,
  restore: string,
  works: Raw[],
  context: BackupContext,
): Promise<RestoreTarget> {
  const { run, files, heartbeat } = context;
  heartbeat.status(`Restoring ${record.paths[at]?.path ?? ''}`);
  const { present, signing, rules, need } = await lookInItsPlace(record, at, context);
  await requireRestoreSpace([need]);
  const { work } = placesFor(present, restore);
  await heartbeat.during(sweepWorks(work, restore, run));
  works.push(work);
  await using parent = await openDirectory(parentOf(work));
  await mkdir(bytesOf(numbered(parent, nameOf(work))), { mode: 0o700 });
  await using into = await openDirectory(work);
  await layTree({ record, at, into, work, rules }, context);
  await keepLooks(staying(present), work, into, context);
  await carryOver(present, signing, into, context);
  await heartbeat.during(files.syncFileSystem(textOf(work)));
  return await planMoves(present, restore);
}

/** Removes what attempts that came to no journal have laid there for this path: a neighbour's may be of this very restore. */
async function sweepWorks(work: Raw, restore: string, run: BackupContext['run']): Promise<void> {
  const parent = parentOf(work);
  const prefix = `${OURS}restore-`;
  const suffix = nameOf(work).slice(prefix.length + restore.length);
  // The name of a restore has no dot; a suffix begins with one, and may be the end of a longer one.
  const isWork = (name: Raw): boolean =>
    name.startsWith(prefix) &&
    name.endsWith(suffix) &&
    !name.slice(prefix.length, name.length - suffix.length).includes('.');
  for (const name of await readdir(bytesOf(parent || '/'), { encoding: 'buffer' })) {
    if (isWork(name.toString('latin1'))) await removeOurs(`${parent}/${name.toString('latin1')}`, run);
  }
}

interface Laying {
  readonly record: BackupRecord;
  readonly at: number;
  readonly work: Raw;
  /** The work directory, held open. */
  readonly into: FileHandle;
  readonly rules: Rules;
}

/** `tree` in the work directory: the backup without what keeps its place and what is never put back; checked. */
async function layTree({ record, at, into, work, rules }: Laying, context: BackupContext): Promise<void> {
  const { settings } = context;
  const { root, listing } = placeOf(record, at, settings.directory);
  const isLeft = (path: Raw): boolean => path !== '' && (rules.keeps(path) || rules.never(path));
  const inside = rulesInside(record, at, isLeft);
  const { kind = 'directory', bytes = 0, entries = 0 } = record.paths[at] ?? {};
  const timeout = timeoutFor({ bytes, entries });
  const job: CopyJob = { source: await realOf(root), kind, into, name: 'tree', timeout };
  await layCopy(job, inside, work, context);
  const beat = (): void => {
    context.heartbeat.beat();
  };
  const tree = numbered(into, 'tree');
  const left = within(isLeft);
  const wanted = without(readListing(listing), left);
  const difference = await firstDifference(wanted, walk(tree, { excluded: () => false, beat }), 'copy');
  if (difference !== undefined) throw damage(record, at, difference);
  await requireContent(record, at, tree, left, context);
}

async function layCopy(
  job: CopyJob,
  rules: ReturnType<typeof rulesInside>,
  work: Raw,
  { run, heartbeat }: BackupContext,
): Promise<void> {
  const entries: Raw[] = [];
  const omitted: Raw[] = [];
  let sample: Raw | undefined;
  for await (const step of walk(job.source, rules)) {
    if (step.kind === 'omitted') omitted.push(step.path);
    else {
      entries.push(step.entry.path);
      if (step.entry.type === 'file' && step.entry.size > 0) sample ??= below(job.source, step.entry.path);
    }
  }
  if (sample === undefined || !(await canClone(sample, textOf(work), run))) {
    await heartbeat.during(copyListed(job, entries, run));
  } else {
    await heartbeat.during(cloneTree(job, omitted, run));
  }
}

async function* without(
  entries: AsyncIterable<ListedEntry>,
  left: (path: Raw) => boolean,
): AsyncGenerator<ListedEntry> {
  for await (const entry of entries) {
    if (entry.path !== '' && left(entry.path)) continue;
    yield entry.sameAs !== '' && left(entry.sameAs) ? { ...entry, sameAs: '' } : entry;
  }
}

/** `looks` in the work directory: directories that stay, as the backup has them; renaming changes the times of the tree's. */
async function keepLooks(stay: readonly Raw[], work: Raw, into: FileHandle, { run }: BackupContext): Promise<void> {
  const tree = `${work}/tree`;
  const there: Raw[] = [];
  for (const directory of stay) if (await isThere(below(tree, directory))) there.push(directory);
  if (there.length === 0) return;
  await copyListed({ source: tree, kind: 'directory', into, name: 'looks', timeout: 600_000 }, there, run);
}

/** The present signing state into the tree; and the directories that it, and what keeps its place, will need there. */
async function carryOver(
  { path, keeps, there }: Present,
  signing: readonly Raw[],
  into: FileHandle,
  { run, heartbeat }: BackupContext,
): Promise<void> {
  if (there === 'missing') return;
  const tree = numbered(into, 'tree');
  const wanted = new Set<Raw>();
  for (const parent of [...signing, ...keeps].flatMap(ancestorsOf)) {
    if (!(await isThere(below(tree, parent)))) wanted.add(parent);
  }
  for (const one of signing) wanted.add(one);
  if (wanted.size === 0) return;
  const job: CopyJob = { source: path, kind: 'directory', into, name: 'tree', timeout: 3_600_000 };
  await heartbeat.during(addListed(job, [...wanted].sort(), run));
}
