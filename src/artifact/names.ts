/**
 * Which names an archive may use. A name is checked as it stands and never cleaned up: a cleaned name is one that
 * another reader understands differently. Only what ordinary tools write is taken off: one leading `./` and the one
 * slash at the end of a directory.
 */
import { LIMITS } from '../manifest.ts';
import { malformed, quoted, unsafe } from './refusal.ts';

// Control characters are refused for the sake of terminals and logs; unpaired surrogates cannot come out of textOf.
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\]/;
const DRIVE = /^[A-Za-z]:/;
/** Names at the top that mark a version directory as complete, here or in other updaters. */
const RESERVED = /^\.(?:nau|node-updater|staging|complete|manifest)(?:[-./]|$)/i;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strict UTF-8. */
export function textOf(bytes: Buffer): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw malformed(`the name ${quoted(bytes.toString('latin1'))} is not valid UTF-8`, cause);
  }
}

/** The path inside the release, or '' for the root itself (`./`, which `tar c .` writes first). */
export function directoryPath(name: string): string {
  if (name === '.' || name === './') return '';
  return plainPath(name.endsWith('/') ? name.slice(0, -1) : name);
}

/** The path inside the release of a file or a link. */
export function plainPath(name: string): string {
  checkText(name);
  const path = name.startsWith('./') ? name.slice(2) : name;
  const parts = path.split('/');
  if (parts.length > LIMITS.depth) throw unsafe(`${quoted(name)} is nested deeper than ${LIMITS.depth} directories`);
  if (Buffer.byteLength(path) > LIMITS.pathBytes) throw unsafe(`the name ${quoted(name)} is too long`);
  for (const part of parts) checkPart(part, name);
  if (RESERVED.test(path)) throw unsafe(`${quoted(name)} has a name that the updater keeps to itself`);
  return path;
}

/** Of a symbolic link's target only the text; where it leads is for tree.ts to say. */
export function checkTarget(target: string, link: string): void {
  checkText(target);
  if (Buffer.byteLength(target) > LIMITS.linkTargetBytes) throw unsafe(`the target of ${quoted(link)} is too long`);
  for (const part of target.split('/')) {
    if (Buffer.byteLength(part) > LIMITS.componentBytes) throw unsafe(`the target of ${quoted(link)} is too long`);
  }
}

function checkText(name: string): void {
  if (name === '') throw malformed('an entry or a link target has no name');
  if (name.startsWith('/')) throw unsafe(`${quoted(name)} is an absolute path`);
  if (DRIVE.test(name)) throw unsafe(`${quoted(name)} starts with a drive letter`);
  if (FORBIDDEN.test(name)) throw unsafe(`${quoted(name)} has a backslash or a control character`);
}

function checkPart(part: string, name: string): void {
  if (part === '..') throw unsafe(`${quoted(name)} leaves the release`);
  if (part === '' || part === '.') throw unsafe(`${quoted(name)} is not written plainly`);
  if (Buffer.byteLength(part) > LIMITS.componentBytes) throw unsafe(`a part of ${quoted(name)} is too long`);
}

/**
 * Names with the same key are one name on some file system: compatibility forms, then case. Stricter than what Linux
 * needs, because publishers unpack elsewhere and because no honest release has two such names.
 */
export function collisionKey(path: string): string {
  if (/^[\u0021-\u007e]*$/.test(path)) return path.toLowerCase();
  return path.normalize('NFKD').toUpperCase().toLowerCase().normalize('NFKC');
}
