/**
 * Reads configuration files. What they say runs as root in the end (`exec`, `user`, keys), so a file that somebody else
 * than its owner root could have written is not read: CONFIG_UNSAFE_FILE. A link is followed, as systemd follows them: its
 * directory is held to the same rule.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  type Stats,
} from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { Problem } from './problems.ts';
import { accepted, refused, type Parsed } from './units.ts';

const LARGEST = 1024 * 1024;

export type Reading =
  | { readonly type: 'absent' }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'problem'; readonly code: Problem['code']; readonly message: string; readonly remedy: string };

/** `uid`: who may own a file, beside root: the user that runs us. */
export function readConfigFile(path: string, uid: number): Reading {
  let descriptor: number | undefined;
  try {
    // A FIFO must not hang us: without O_NONBLOCK, opening one waits for a writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    // A link to /dev/null masks a drop-in, as with systemd.
    if (stats.isCharacterDevice() && stats.rdev === statSync('/dev/null').rdev) return { type: 'text', text: '' };
    const unsafe = unsafety(stats, uid);
    if (unsafe !== undefined) return { ...unsafeFile(path, unsafe), type: 'problem' };
    return decode(readFileSync(descriptor), path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && descriptor === undefined) return missing(path);
    return unreadable(path, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The names in a directory, sorted by their bytes as systemd sorts them; none when it is not there. */
export function listConfigDirectory(path: string, uid: number): Parsed<readonly string[]> {
  try {
    const unsafe = ownership(statSync(path), uid);
    if (unsafe !== undefined) return refused(`${unsafe}: others could put files there.`);
    return accepted(readdirSync(path).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return accepted([]);
    return refused(`cannot be read: ${messageOf(error)}.`);
  }
}

/** What a name in a configuration directory is to us. */
export function kindOfName(name: string): 'file' | 'hidden' | 'leftover' | 'wrong' {
  if (name.startsWith('.')) return 'hidden';
  if (name.endsWith('.toml') && name !== '.toml') return 'file';
  return LEFTOVER.test(name) ? 'leftover' : 'wrong';
}

/** What package managers and editors leave beside a file that they replace. */
const LEFTOVER =
  /(~|\.(dpkg-[a-z]+|ucf-[a-z]+|rpm(new|save|orig)|pac(new|save|orig)|bak|orig|old|save|sw[op]|tmp))$|^#.*#$/;

function unsafety(stats: Stats, uid: number): string | undefined {
  if (!stats.isFile()) return 'is no regular file';
  if (stats.size > LARGEST) return 'is larger than 1 MiB';
  return ownership(stats, uid);
}

function ownership(stats: Stats, uid: number): string | undefined {
  if (stats.uid !== 0 && stats.uid !== uid) return `belongs to user ${stats.uid}, not to root`;
  if ((stats.mode & 0o002) !== 0) return 'is writable by everybody';
  return (stats.mode & 0o020) !== 0 && stats.gid !== 0 ? `is writable by group ${stats.gid}` : undefined;
}

function unsafeFile(path: string, why: string) {
  return {
    code: 'CONFIG_UNSAFE_FILE',
    message: `${why}; it was not read.`,
    remedy: `Look at what it says, then: chown root:root ${path} && chmod 0644 ${path}`,
  } as const;
}

function decode(bytes: Buffer, path: string): Reading {
  try {
    return { type: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    return problem('CONFIG_SYNTAX', `is not UTF-8: ${messageOf(error)}.`, `Save ${path} in UTF-8.`);
  }
}

/** A link to nowhere is not the same as no file: somebody meant something. */
function missing(path: string): Reading {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return { type: 'absent' };
  return problem('CONFIG_INVALID', 'is a link to nothing.', `Remove ${path}, or put back what it points to.`);
}

function unreadable(path: string, error: unknown): Reading {
  const remedy = errnoOf(error) === 'EACCES' ? `chmod 0644 ${path}, or run this as root.` : `Look at ${path}.`;
  return problem('CONFIG_INVALID', `cannot be read: ${messageOf(error)}.`, remedy);
}

function problem(code: Problem['code'], message: string, remedy: string): Reading {
  return { type: 'problem', code, message, remedy };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
