/**
 * File names are bytes, not text. Inside this folder a path below a backed-up path is a `Raw`: one character for each
 * byte (latin1), so that a name that is no UTF-8 survives JSON, sorting and comparison unchanged.
 */
import { open, type FileHandle } from 'node:fs/promises';
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

/** The directories above `path`, outermost first, without the root. */
export function ancestorsOf(path: Raw): Raw[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'));
}

/** Held open, a directory cannot be swapped for a link under our hands: children of it are reached through its number. */
export function openDirectory(path: Raw): Promise<FileHandle> {
  return open(bytesOf(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}
