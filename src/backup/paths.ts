/**
 * File names are bytes, not text. Inside this folder a path below a backed-up path is a `Raw`: one character for each
 * byte (latin1), so that a name that is no UTF-8 survives JSON, sorting and comparison unchanged.
 */
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:fs';

/** Relative to its root without a leading slash; '' is the root itself. One character for each byte. */
export type Raw = string;

export function rawOf(text: string): Raw {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** What node:fs is given. */
export function bytesOf(raw: Raw): Buffer {
  return Buffer.from(raw, 'latin1');
}

/** For messages; a byte that is no UTF-8 shows as U+FFFD. */
export function textOf(raw: Raw): string {
  return bytesOf(raw).toString('utf8');
}

export function below(root: Raw, path: Raw): Raw {
  return path === '' ? root : `${root}/${path}`;
}

export function parentOf(path: Raw): Raw {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function nameOf(path: Raw): Raw {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The directories above `path`, outermost first, without the root. */
export function ancestorsOf(path: Raw): Raw[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'));
}

/**
 * Opens a directory from the root on, one name after the other, and no link on the way is followed. Held open it cannot be
 * swapped for one under our hands either: what is in it is reached through `numbered`. Throws the ELOOP or ENOTDIR of open(2).
 *
 * @param path absolute, and without links when it was looked at (realpath)
 */
export async function openDirectory(path: Raw): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  let here = await open('/', flags);
  for (const name of path.split('/').filter((part) => part !== '')) {
    try {
      const next = await open(bytesOf(numbered(here, name)), flags);
      await here.close();
      here = next;
    } catch (error) {
      await here.close();
      throw error;
    }
  }
  return here;
}

/** A path by way of an open directory, for our own process. */
export function numbered(directory: FileHandle, name: Raw): Raw {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

export async function realOf(path: Raw): Promise<Raw> {
  return (await realpath(bytesOf(path), { encoding: 'buffer' })).toString('latin1');
}
