/**
 * What can stand in the way of a restore, seen without touching anything: asked before the node is stopped, and again when
 * it is down and its data no longer changes.
 */
import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { UpdaterError } from '../errors.ts';
import type { BackupContext } from './context.ts';
import { matcher, within, type Matcher } from './glob.ts';
import { readListing } from './listing.ts';
import { isSubvolume } from './method.ts';
import { isThere, type Present } from './moves.ts';
import type { RestoreTarget } from './journal.ts';
import { bytesOf, parentOf, rawOf, textOf, type Raw } from './paths.ts';
import type { BackupRecord } from './record.ts';
import { placeOf, requireListing, verifyBackup } from './seal.ts';
import { requireRestoreSpace, spaceFor, type Need } from './space.ts';
import { neverRestored, requireApart } from './survey.ts';
import { mountsBelow, walk } from './walk.ts';

export interface Rules {
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

/** What is signing state as a whole is not touched. */
export function restorable(record: BackupRecord, context: BackupContext): number[] {
  const { never } = rulesOf(record, context);
  return [...record.paths.keys()].filter((at) => !within(never)(rawOf(record.paths[at]?.path.slice(1) ?? '')));
}

export interface Restorable {
  readonly present: Present;
  /** Signing state that is there now, and stays. */
  readonly signing: readonly Raw[];
  readonly rules: Rules;
  /** What it will take beside the data. */
  readonly need: Need;
}

/** That the backup is whole, and nothing stands in the way of a restore of it. Throws as `verifyBackup` and `lookInItsPlace` do, and DISK_FULL. */
export async function requireGoodRestore(id: string, context: BackupContext): Promise<void> {
  const record = await verifyBackup(id, context);
  const needs: Need[] = [];
  for (const at of restorable(record, context)) needs.push((await lookInItsPlace(record, at, context)).need);
  await requireRestoreSpace(needs);
}

/**
 * What a restore of this path finds in its place. Throws BACKUP_DAMAGED, BACKUP_SIGNING, HOST_MOUNT, and BACKUP_REFUSED for a link
 * into the backups.
 */
export async function lookInItsPlace(record: BackupRecord, at: number, context: BackupContext): Promise<Restorable> {
  const { settings, heartbeat } = context;
  const rules = rulesOf(record, context);
  await requireListing(record, at, context);
  const path = record.paths[at]?.path ?? '';
  const real = await realPlace(path);
  await requireApart(real, settings.directory);
  const { present, signing } = await lookAtPresent(real, rules, () => {
    heartbeat.beat();
  });
  if (record.paths[at]?.mount === 'here' && present.mount !== 'here') throw notMounted(path);
  await requireSigning(placeOf(record, at, settings.directory).listing, signing, rules, path);
  return { present, signing, rules, need: roomFor(record, at, present) };
}

/** The path without links above it, whether it is there or not. */
async function realPlace(path: string): Promise<Raw> {
  const parent = await realpath(dirname(path));
  return rawOf(`${parent === '/' ? '' : parent}/${basename(path)}`);
}

function roomFor(record: BackupRecord, at: number, { path }: Present): Need {
  const { method = 'copy', bytes = 0, entries = 0 } = record.paths[at] ?? {};
  const what = `a restore of ${textOf(path)}`;
  return { what, at: parentOf(path) || '/', ...spaceFor({ method, bytes, entries }) };
}

async function lookAtPresent(path: Raw, rules: Rules, beat: () => void): Promise<{ present: Present; signing: Raw[] }> {
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
  const mount = here ? 'here' : 'elsewhere';
  return { present: { path, there, mount, rename, keeps, boundaries }, signing };
}

/** That what was mounted when the renames were planned is so when they are gone on with: a boot comes between. Throws HOST_MOUNT. */
export async function requireMounted(targets: readonly RestoreTarget[]): Promise<void> {
  for (const { path, mount } of targets) {
    if (mount === 'here' && !(await mountsBelow(path)).here) throw notMounted(textOf(path));
  }
}

function notMounted(path: string): UpdaterError {
  return new UpdaterError('HOST_MOUNT', `nothing is mounted at ${path}, but there was before the restore`, {
    remedy:
      `Mount it: sudo mount ${path}. What a restore laid there now would be hidden by the next mount, so the data was not touched; ` +
      'a restore that was begun holds the node down, and goes on with the next run. If the data is to be without a file system of ' +
      `its own from now on: sudo mount --bind ${path} ${path}.`,
  });
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
