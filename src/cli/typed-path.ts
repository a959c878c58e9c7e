/**
 * Paths that a person typed, looked at before anything is done with them: a slip of the finger is no fault of the disk, and is
 * answered with the argument that it stands in and with what should stand there.
 */
import { access, constants, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { nearest } from '../config/suggest.ts';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';

export interface TypedPath {
  /** The argument, as the help names it: `--against`, `DIRECTORY`. */
  readonly from: string;
  readonly path: string;
  /**
   * What has to be there. `site` is a directory with a manifest.json; what is `new` is made if it is not there, but not into a
   * file; a new file goes into a directory that is there.
   */
  readonly is: 'file' | 'directory' | 'site' | 'new file' | 'new directory';
  /** Completes "Give": `the archive that build made`. */
  readonly what: string;
}

const GONE = 'is not there';

type Kind = 'directory' | 'file' | 'nothing';

/** Throws USAGE_PATH for the first that is not what it should be; DISK_ errors are left to whoever reads. */
export async function requirePaths(typed: readonly TypedPath[]): Promise<void> {
  for (const each of typed) {
    const fault = each.path === '' ? 'is empty' : await faultOf(each);
    if (fault !== undefined) throw wrongPath(each, fault, await whereToLook(each.path, fault));
  }
}

async function faultOf({ is, path }: TypedPath): Promise<string | undefined> {
  const found = await look(path);
  if (found.fault !== undefined) return found.fault;
  switch (is) {
    case 'file':
      return wrongKind(found.kind, 'file');
    case 'directory':
      return wrongKind(found.kind, 'directory');
    case 'site':
      return wrongKind(found.kind, 'directory') ?? (await manifestFault(path));
    case 'new directory':
      return found.kind === 'file' ? 'is a file, not a directory' : undefined;
    case 'new file':
      if (found.kind !== 'nothing') return wrongKind(found.kind, 'file');
      return (await look(dirname(path))).kind === 'directory'
        ? undefined
        : `cannot be made: ${dirname(path)} is not there`;
  }
}

function wrongKind(found: Kind, wanted: 'file' | 'directory'): string | undefined {
  if (found === wanted) return undefined;
  if (found === 'nothing') return GONE;
  return found === 'directory' ? 'is a directory, not a file' : 'is a file, not a directory';
}

async function manifestFault(path: string): Promise<string | undefined> {
  const found = await look(join(path, 'manifest.json'));
  return found.kind !== 'file' ? 'holds no manifest.json' : undefined;
}

interface Look {
  readonly kind: Kind;
  /** Why nothing can be said of it, or nothing be done with it. */
  readonly fault?: string;
}

/** What is no directory (a pipe, say) is read as a file is. */
async function look(path: string): Promise<Look> {
  try {
    const kind = (await stat(path)).isDirectory() ? 'directory' : 'file';
    if (kind === 'file') await access(path, constants.R_OK);
    return { kind };
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (errno === 'ENOENT') return { kind: 'nothing' };
    const fault = FAULTS[errno];
    if (fault === undefined) throw diskError(error, 'look at', path);
    return { kind: 'nothing', fault };
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  ENOTDIR: 'leads through a file as if it were a directory',
  EACCES: 'may not be read by this user',
  ELOOP: 'leads through symbolic links in a circle',
  ENAMETOOLONG: 'is longer than a path may be',
};

/** What lies in the same directory under a name like it, and the directory to look into. */
async function whereToLook(path: string, fault: string): Promise<string> {
  let place = dirname(path);
  while ((await look(place)).kind === 'nothing' && place !== dirname(place)) place = dirname(place);
  const seen = ` To see what is there: ls -l ${place}`;
  if (fault !== GONE || place !== dirname(path)) return seen;
  const near = nearest(basename(path), await namesIn(place));
  return near === undefined ? seen : ` Did you mean ${join(place, near)}?${seen}`;
}

/** None where this user may not look: then nothing is suggested. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'EACCES') return [];
    throw diskError(error, 'read', directory);
  }
}

function wrongPath({ from, path, what }: TypedPath, fault: string, where: string): UpdaterError {
  return new UpdaterError('USAGE_PATH', `${from}: ${path === '' ? 'the path' : path} ${fault}`, {
    remedy: `Give ${what}.${where}`,
  });
}
