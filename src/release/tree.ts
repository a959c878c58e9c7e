/** Reads a directory as the entries of an archive, in an order that no host changes. */
import { isUtf8 } from 'node:buffer';
import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { foldName, linkFault, pathFault } from './names.ts';
import { refusePath } from './refuse.ts';

export type TreeEntry =
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'file'; readonly path: string; readonly size: number; readonly mode: 0o755 | 0o644 }
  | { readonly type: 'link'; readonly path: string; readonly target: string };

const SET_ID = 0o6000;

/**
 * Every entry below `root`, parents before children, the names of one directory in the order of their bytes (as
 * `tar --sort=name`). Holds one directory of each depth in memory. Throws RELEASE_INPUT naming the path that may not be
 * released.
 */
export async function* readTree(root: string): AsyncGenerator<TreeEntry> {
  const real = await realpath(root).catch((cause: unknown) => {
    throw refusePath(root, 'cannot be read', 'Give the directory that holds what is to be released.', cause);
  });
  yield* readDirectory(real, '');
}

async function* readDirectory(root: string, parent: string): AsyncGenerator<TreeEntry> {
  for (const name of await sortedNames(root, parent)) {
    const path = below(parent, name);
    const fault = pathFault(path);
    if (fault !== undefined) throw refusePath(path, fault, 'Rename it: hosts would refuse the whole archive.');
    const entry = await readEntry(root, path);
    yield entry;
    if (entry.type === 'directory') yield* readDirectory(root, path);
  }
}

async function sortedNames(root: string, parent: string): Promise<readonly string[]> {
  const names = await readdir(`${root}/${parent}`, { encoding: 'buffer' }).catch((cause: unknown) => {
    throw refusePath(parent === '' ? root : parent, 'cannot be read', 'Make it a directory that you may read.', cause);
  });
  const folded = new Map<string, string>();
  return names
    .sort((a, b) => Buffer.compare(a, b))
    .map((bytes) => {
      const name = decode(bytes);
      if (name === undefined) {
        throw refusePath(
          below(parent, bytes.toString('latin1')),
          'has a name that is not UTF-8',
          'Rename it in UTF-8.',
        );
      }
      const twin = folded.get(foldName(name));
      if (twin !== undefined) {
        const why = `differs from ${JSON.stringify(twin)} in case or Unicode form alone`;
        throw refusePath(below(parent, name), why, 'Rename one of the two: not every file system can hold both.');
      }
      folded.set(foldName(name), name);
      return name;
    });
}

function below(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}

/** Undefined when the bytes are not UTF-8. */
function decode(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

async function readEntry(root: string, path: string): Promise<TreeEntry> {
  const facts = await lstat(`${root}/${path}`);
  if (facts.isDirectory()) return { type: 'directory', path };
  if (facts.isSymbolicLink()) return readLink(root, path);
  if (!facts.isFile()) {
    throw refusePath(path, `is ${kindOf(facts)}`, 'A release holds files, directories and symbolic links alone.');
  }
  if ((facts.mode & SET_ID) !== 0) {
    const remedy = `Take the bit away: chmod ug-s ${JSON.stringify(path)}. Give the unit AmbientCapabilities= instead.`;
    throw refusePath(path, 'is setuid or setgid', remedy);
  }
  // A file with several hard links is written as a file of its own each time: builds hard-link what they install.
  return { type: 'file', path, size: facts.size, mode: (facts.mode & 0o100) === 0 ? 0o644 : 0o755 };
}

async function readLink(root: string, path: string): Promise<TreeEntry> {
  const target = decode(await readlink(`${root}/${path}`, { encoding: 'buffer' }));
  if (target === undefined) throw refusePath(path, 'links to a name that is not UTF-8', 'Rename the target in UTF-8.');
  const fault = linkFault(path, target) ?? (await landingFault(root, path));
  const remedy = 'Make it a relative link to something inside the directory, or put a copy in its place.';
  if (fault !== undefined) throw refusePath(path, fault, remedy);
  return { type: 'link', path, target };
}

/** The text may look harmless and still leave the tree through another link, or lead nowhere, or in a circle. */
async function landingFault(root: string, path: string): Promise<string | undefined> {
  const landing = await realpath(`${root}/${path}`).catch((cause: unknown) => {
    throw refusePath(path, 'is a symbolic link that leads nowhere', 'Remove it, or release what it points to.', cause);
  });
  return landing === root || landing.startsWith(`${root}/`) ? undefined : 'leads outside the release';
}

function kindOf(facts: Stats): string {
  if (facts.isFIFO()) return 'a named pipe';
  if (facts.isSocket()) return 'a socket';
  return 'a device';
}
