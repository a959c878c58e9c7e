/**
 * The renames that put a restored tree in the place of the data. A plain path takes two: the data away, the tree in. A
 * mount point or subvolume is not renamed, nor may what is mounted below a path be carried away with it: such directories stay, and
 * their children are renamed in their place.
 */
import { readdir, rename } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import { exists, ifThere } from '../if-there.ts';
import type { Move, RestoreTarget } from './journal.ts';
import { ancestorsOf, below, bytesOf, nameOf, numbered, openDirectory, parentOf, textOf, type Raw } from './paths.ts';
import { OURS } from './walk.ts';

export interface Present {
  /** Absolute. */
  readonly path: Raw;
  readonly there: 'there' | 'missing';
  /** Whether a file system is mounted at the path itself. */
  readonly mount: 'here' | 'elsewhere';
  /** `children`: the path itself cannot be renamed, or not with everything in it. */
  readonly rename: 'whole' | 'children';
  /** Below the path: what keeps its place (excluded, special), and where other file systems begin. */
  readonly keeps: readonly Raw[];
  readonly boundaries: readonly Raw[];
}

/** Directories of `path` that cannot be renamed; '' is the path itself. */
export function staying({ rename: how, boundaries }: Pick<Present, 'rename' | 'boundaries'>): Raw[] {
  if (how === 'whole' && boundaries.length === 0) return [];
  return [...new Set(['', ...boundaries.flatMap(ancestorsOf)])].sort();
}

export function placesFor({ path, ...present }: Present, restore: string): Pick<RestoreTarget, 'work' | 'before'> {
  if (staying(present).length > 0) {
    return { work: `${path}/${OURS}restore-${restore}`, before: `${path}/${OURS}before-${restore}` };
  }
  const name = nameOf(path);
  return { work: `${parentOf(path)}/${OURS}restore-${restore}.${name}`, before: `${path}.before-${restore}` };
}

/** `work/tree` is what is to be put in the place of `path`. */
export async function planMoves(present: Present, restore: string): Promise<RestoreTarget> {
  const { path, keeps, mount } = present;
  const { work, before } = placesFor(present, restore);
  const stay = staying(present);
  const tree = `${work}/tree`;
  const plain = stay.length === 0;
  const away = plain ? [{ from: path, to: before }] : await childMoves(path, before, present);
  const into = plain ? [{ from: tree, to: path }] : await childMoves(tree, path, present);
  // What keeps its place in a directory that stays was not moved; the rest went along with what was above it.
  const back = keeps
    .filter((kept) => !stay.includes(parentOf(kept)))
    .map((kept) => ({ from: below(before, kept), to: below(path, kept) }));
  const first = present.there === 'there' ? away : [];
  return { path, mount, work, before, away: first, in: into, back, stay };
}

async function childMoves(from: Raw, to: Raw, present: Present): Promise<Move[]> {
  const stay = new Set(staying(present));
  const fixed = new Set([...stay, ...present.boundaries, ...present.keeps]);
  const moves: Move[] = [];
  for (const directory of stay) {
    for (const name of await namesIn(below(from, directory))) {
      const child = directory === '' ? name : `${directory}/${name}`;
      if (fixed.has(child) || child.startsWith(OURS)) continue;
      moves.push({ from: below(from, child), to: below(to, child) });
    }
  }
  return moves;
}

/** Done when its goal is there: nothing else ever makes that name. */
export async function moveAway({ from, to }: Move): Promise<void> {
  if (await isThere(to)) return;
  await move(from, to);
}

/** Done when its origin is gone: ours alone, nobody else takes from it. */
export async function moveIn({ from, to }: Move): Promise<void> {
  if (!(await isThere(from))) return;
  if (await isThere(to)) {
    throw new UpdaterError('BACKUP_RESTORE', `${textOf(to)} is in the way of a restore`, {
      remedy: `Something was written there while the data was being restored. Move it aside, then type: node-updater backup restore`,
    });
  }
  await move(from, to);
}

/** By way of open directories: a directory above that the node's user swaps for a link would lead us elsewhere. */
async function move(from: Raw, to: Raw): Promise<void> {
  try {
    await using origin = await openDirectory(parentOf(from));
    await using goal = await openDirectory(parentOf(to));
    await rename(bytesOf(numbered(origin, nameOf(from))), bytesOf(numbered(goal, nameOf(to))));
  } catch (error) {
    throw new UpdaterError('BACKUP_RESTORE', `${textOf(from)} cannot be renamed to ${textOf(to)}`, {
      remedy:
        'The node stays down. Repair what is named, then type: node-updater backup restore. It goes on from there.',
      cause: error,
    });
  }
}

export async function isThere(path: Raw): Promise<boolean> {
  return exists(bytesOf(path));
}

async function namesIn(directory: Raw): Promise<Raw[]> {
  const names = await ifThere(readdir(bytesOf(directory), { encoding: 'buffer' }), []);
  return names.map((name) => name.toString('latin1')).sort();
}
