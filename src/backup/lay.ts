/** Lays a backup beside the data, checked, so that nothing but renames is left to do (restore.ts). */
import { lstat, mkdir, readdir, realpath, type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { UpdaterError } from '../errors.ts';
import type { BackupContext } from './context.ts';
import { addListed, cloneTree, copyListed, removeOurs, type CopyJob } from './copy.ts';
import { matcher, within, type Matcher } from './glob.ts';
import type { RestoreTarget } from './journal.ts';
import { firstDifference, readListing, type ListedEntry } from './listing.ts';
import { canClone, isSubvolume } from './method.ts';
import { isThere, placesFor, planMoves, staying, type Present } from './moves.ts';
import {
  ancestorsOf,
  below,
  bytesOf,
  nameOf,
  numbered,
  openDirectory,
  parentOf,
  rawOf,
  realOf,
  textOf,
  type Raw,
} from './paths.ts';
import type { BackupRecord } from './record.ts';
import { damage, placeOf, requireContent, requireListing, rulesInside } from './seal.ts';
import { requireRestoreSpace, spaceFor, timeoutFor } from './space.ts';
import { neverRestored, requireApart, unmounted } from './survey.ts';
import { mountsBelow, OURS, walk } from './walk.ts';

/** What is put below a mount point is hidden by the next mount. */
const BOUND =
  'If it is to be without a file system of its own from now on: mount --bind it on itself, and restore again.';

interface Rules {
  /** Keeps its place, and is in no backup. */
  readonly keeps: Matcher;
  readonly never: Matcher;
}

function rulesOf(record: BackupRecord, { settings }: BackupContext): Rules {
  return {
    keeps: matcher([...record.exclude, ...settings.exclude]),
    never: matcher([...record.neverRestore, ...neverRestored(settings)]),
  };
}

/** `works` gets the directory to remove should the restore come to nothing. */
export async function layBeside(
  record: BackupRecord,
  at: number,
  restore: string,
  works: Raw[],
  context: BackupContext,
): Promise<RestoreTarget> {
  const { settings, run, files, heartbeat } = context;
  const rules = rulesOf(record, context);
  await requireListing(record, at, context);
  const path = record.paths[at]?.path ?? '';
  heartbeat.status(`Restoring ${path}`);
  const real = await realPlace(path);
  await requireApart(real, settings.directory);
  const { present, mounted, signing } = await lookAtPresent(real, rules, () => {
    heartbeat.beat();
  });
  if (record.paths[at]?.mount === 'here' && !mounted) throw unmounted(path, BOUND);
  await requireSigning(placeOf(record, at, settings.directory).listing, signing, rules, path);
  await requireRestoreSpace([roomFor(record, at, present)]);
  const { work } = placesFor(present, restore);
  await sweepWorks(work, restore, run);
  works.push(work);
  await using parent = await openDirectory(parentOf(work));
  await mkdir(bytesOf(numbered(parent, nameOf(work))), { mode: 0o700 });
  await using into = await openDirectory(work);
  await layTree({ record, at, into, work, rules }, context);
  await keepLooks(staying(present), work, into, context);
  await carryOver(present, signing, into, context);
  await files.syncFileSystem(textOf(work));
  return await planMoves(present, restore);
}

/** What is signing state as a whole is not touched. */
export function restorable(record: BackupRecord, context: BackupContext): number[] {
  const { never } = rulesOf(record, context);
  return [...record.paths.keys()].filter((at) => !within(never)(rawOf(record.paths[at]?.path.slice(1) ?? '')));
}

/** The path without links above it, whether it is there or not. */
async function realPlace(path: string): Promise<Raw> {
  const parent = await realpath(dirname(path));
  return rawOf(`${parent === '/' ? '' : parent}/${basename(path)}`);
}

/** Removes what attempts that came to no journal have laid there. */
async function sweepWorks(work: Raw, restore: string, run: BackupContext['run']): Promise<void> {
  const parent = parentOf(work);
  const [, suffix = ''] = work.slice(parent.length + 1).split(restore);
  const isWork = (name: Raw): boolean =>
    name.startsWith(`${OURS}restore-`) && (suffix === '' ? !name.includes('.', OURS.length) : name.endsWith(suffix));
  for (const name of await readdir(bytesOf(parent || '/'), { encoding: 'buffer' })) {
    if (isWork(name.toString('latin1'))) await removeOurs(`${parent}/${name.toString('latin1')}`, run);
  }
}

function roomFor(record: BackupRecord, at: number, { path }: Present) {
  const { method = 'copy', bytes = 0, entries = 0 } = record.paths[at] ?? {};
  const what = `a restore of ${textOf(path)}`;
  return { what, at: parentOf(path) || '/', ...spaceFor({ method, bytes, entries }) };
}

async function lookAtPresent(
  path: Raw,
  rules: Rules,
  beat: () => void,
): Promise<{ present: Present; mounted: boolean; signing: Raw[] }> {
  const { here, mounts } = await mountsBelow(path);
  const keeps: Raw[] = [];
  const boundaries: Raw[] = [];
  const signing: Raw[] = [];
  const there = (await isThere(path)) ? 'there' : 'missing';
  if (there === 'there') {
    for await (const step of walk(path, { excluded: rules.keeps, mounts, beat })) {
      if (step.kind === 'entry') {
        if (step.entry.path !== '' && within(rules.never)(step.entry.path)) signing.push(step.entry.path);
      } else if (step.why === 'boundary') boundaries.push(step.path);
      else if (step.why !== 'ours') keeps.push(step.path);
    }
  }
  // Nothing can be renamed from one subvolume to another, so one that is there stays, like what is mounted.
  const subvolume = there === 'there' && (await isSubvolume(path, (await lstat(bytesOf(path), { bigint: true })).ino));
  const rename = here || subvolume ? 'children' : 'whole';
  return { present: { path, there, rename, keeps, boundaries }, mounted: here, signing };
}

/** Where the backup knows signing state, the present must have it: else the restored node would start without. */
async function requireSigning(listing: string, signing: readonly Raw[], rules: Rules, path: string): Promise<void> {
  const here = new Set(signing);
  for await (const entry of readListing(listing)) {
    if (entry.type === 'directory' || !within(rules.never)(entry.path) || within(rules.keeps)(entry.path)) continue;
    if (here.has(entry.path)) continue;
    throw new UpdaterError('BACKUP_SIGNING', `${path}/${textOf(entry.path)} is signing state, and is not there now`, {
      remedy:
        'A validator that starts without what it has signed since the backup can be slashed, so nothing was restored. Put ' +
        'the newest state that you have into that place by hand, then type the command again.',
    });
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
