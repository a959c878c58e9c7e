/**
 * Copies a tree with GNU cp, GNU tar or btrfs: owners, modes, times, ACLs, extended attributes, holes and hard links are
 * theirs to keep. cp clones where it can but takes whole trees, so what is omitted is removed from the clone; tar takes a list
 * of names, so what is omitted is never read.
 *
 * Threat: the data's directories belong to the node's user, and we are root with a right over every file. A name that is
 * swapped for a link under our hands must not make us write elsewhere. So all is written below a directory of root's that
 * nobody else may enter (0700), held open and reached by its number; what is put into the data's place is renamed there whole.
 */
import { mkdir, type FileHandle } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import type { Run } from '../host/ports.ts';
import { numbered, openDirectory, parentOf, textOf, type Raw } from './paths.ts';
import { nullSeparated, tool, toolError } from './tool.ts';

export type Method = 'snapshot' | 'reflink' | 'copy';

export interface CopyJob {
  /** Absolute. A directory or a regular file. */
  readonly source: Raw;
  readonly kind: 'directory' | 'file';
  /** A directory of ours, held open; `name` in it is made and must not be there. */
  readonly into: FileHandle;
  readonly name: string;
  /** What the copy may take at most, in milliseconds. */
  readonly timeout: number;
}

/** Below the first descriptor that a program inherits from us. */
const INTO = '/proc/self/fd/3';

/** A clone of everything, with `omitted` taken out again. Throws a DISK_ error where nothing can be cloned. */
export async function cloneTree(job: CopyJob, omitted: readonly Raw[], run: Run): Promise<void> {
  // -x: another file system below becomes an empty directory.
  const flags = ['--archive', '--reflink=always', '--one-file-system', '--no-target-directory'];
  await copyBy(flags, job, run);
  await takeOut(omitted, job, run);
}

async function copyBy(flags: readonly string[], job: CopyJob, run: Run): Promise<void> {
  const { source, kind, into, name, timeout } = job;
  await withSource(source, kind, async (from, descriptors) => {
    const options = { timeout, descriptors: [into.fd, ...descriptors] };
    await tool(['cp', ...flags, '--', from, `${INTO}/${name}`], run, options);
  });
}

/** `paths`: every entry that is wanted, directories before what is in them. */
export async function copyListed(job: CopyJob, paths: readonly Raw[], run: Run): Promise<void> {
  const { kind, into, name } = job;
  if (kind === 'file') {
    const flags = ['--archive', '--reflink=auto', '--no-target-directory'];
    await copyBy(flags, job, run);
    return;
  }
  await mkdir(numbered(into, name), { mode: 0o700 });
  await addListed(job, paths, run);
}

const PACK = ['--create', '--no-recursion', '--null', '--files-from=-', '--sparse', '--format=posix'];
const BOTH = ['--acls', '--xattrs', '--xattrs-include=*', '--numeric-owner'];
const UNPACK = ['--extract', '--preserve-permissions', '--same-owner', '--delay-directory-restore'];
/** Fixed: names reach it as arguments and as input. Of a pipe the shell tells the last status alone. */
const PIPE = `d=$1; shift; { tar --directory=/proc/self/fd/4 ${[...PACK, ...BOTH].map(quote).join(' ')}; echo "packed $?" >&2; } |
tar --directory="$d" ${[...UNPACK, ...BOTH].map(quote).join(' ')}`;

function quote(word: string): string {
  return `'${word}'`;
}

/** Adds what is listed to a tree that is there. */
export async function addListed(job: CopyJob, paths: readonly Raw[], run: Run): Promise<void> {
  const { source, into, name, timeout } = job;
  const input = nullSeparated(paths, './');
  await withSource(source, 'directory', async (_, descriptors) => {
    const said = await tool(['sh', '-c', PIPE, 'sh', `${INTO}/${name}`], run, {
      timeout,
      input,
      descriptors: [into.fd, ...descriptors],
    });
    if (/^packed 0$/m.test(said)) return;
    if (/file (changed|removed) (as|before) we read it|File removed/i.test(said)) throw changed(said);
    throw toolError(['tar'], said);
  });
}

function changed(said: string): UpdaterError {
  return new UpdaterError('BACKUP_CHANGED', `the data changed while it was copied: ${said.slice(0, 500)}`, {
    remedy: 'Find out what else writes there (`fuser -vm PATH`) and stop it with the node. No backup was made of it.',
  });
}

async function withSource(
  source: Raw,
  kind: CopyJob['kind'],
  work: (path: string, descriptors: readonly number[]) => Promise<void>,
): Promise<void> {
  if (kind === 'file') {
    // A name of the configuration, so text; cp takes no link for a file (--archive).
    await work(textOf(source), []);
    return;
  }
  await using from = await openDirectory(source);
  await work('/proc/self/fd/4/.', [from.fd]);
}

/** Removes from a tree of ours, and gives the directories that it changed the times of the source again. */
async function takeOut(omitted: readonly Raw[], { source, into, name, timeout }: CopyJob, run: Run): Promise<void> {
  if (omitted.length === 0) return;
  const root = `${INTO}/${name}`;
  const options = { timeout, descriptors: [into.fd] };
  const inside = omitted.map((path) => `${root}/${path}`);
  await tool(['xargs', '-0', 'rm', '-rf', '--'], run, { ...options, input: nullSeparated(inside) });
  const parents = [...new Set(omitted.map(parentOf))];
  const pairs = parents.flatMap((path) => [`${source}/${path}`, `${root}/${path}`]);
  await tool(['xargs', '-0', '-n', '2', 'touch', '--no-create', '--no-dereference', '--reference'], run, {
    ...options,
    input: nullSeparated(pairs),
  });
}

/** An instant read-only copy of a subvolume. */
export async function snapshotTree({ source, into, name }: CopyJob, run: Run): Promise<void> {
  const command = ['btrfs', '-q', 'subvolume', 'snapshot', '-r', '--', textOf(source), `${INTO}/${name}`];
  await tool(command, run, { descriptors: [into.fd] });
}

/** Removes a tree of ours. With rm, which holds each directory open: Node's own removal can be led astray by a swapped name. */
export async function removeOurs(path: Raw, run: Run): Promise<void> {
  await tool(['rm', '-rf', '--', textOf(path)], run);
}

/** What a read-only snapshot needs before it can be removed: emptying one needs no right over the host, deleting it does. */
export async function makeWritable(snapshot: Raw, run: Run): Promise<void> {
  await tool(['btrfs', 'property', 'set', '-f', '-t', 'subvol', textOf(snapshot), 'ro', 'false'], run);
}
