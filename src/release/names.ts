/**
 * Which names may stand in a release. Threat: a name that one host reads differently from another, or that leaves the
 * version directory. Clients refuse the whole archive for one such name, so the publisher hears of it first.
 */
import { posix } from 'node:path';
import { LIMITS } from '../manifest.ts';

/** Why `path` (relative, `/` between components) must not stand in an archive, or undefined when it may. */
export function pathFault(path: string): string | undefined {
  const components = path.split('/');
  if (components.length > LIMITS.depth) return `lies more than ${LIMITS.depth} directories deep`;
  if (Buffer.byteLength(path) > LIMITS.pathBytes) return `is longer than ${LIMITS.pathBytes} bytes`;
  return components.map(componentFault).find((fault) => fault !== undefined);
}

/** What two names on one host must not share: some file systems ignore case or Unicode composition. */
export function foldName(name: string): string {
  return name.normalize('NFC').toLowerCase().normalize('NFC');
}

/** Why a symbolic link at `path` with this text must not stand in an archive, judged by the text alone. */
export function linkFault(path: string, target: string): string | undefined {
  if (target === '') return 'is a symbolic link to nothing';
  if (target.includes('\\') || hasControl(target)) return 'links to a name with a backslash or a control character';
  if (target.startsWith('/')) return `links to the absolute path ${JSON.stringify(target)}`;
  if (Buffer.byteLength(target) > LIMITS.linkTargetBytes) return 'has a link text that is too long';
  const landing = posix.join(posix.dirname(path), target);
  if (landing === '..' || landing.startsWith('../')) return `links to ${JSON.stringify(target)}, outside the release`;
  return undefined;
}

function componentFault(name: string): string | undefined {
  if (Buffer.byteLength(name) > LIMITS.componentBytes) return `has a name longer than ${LIMITS.componentBytes} bytes`;
  if (name.includes('\\')) return 'has a backslash in its name';
  if (/^[A-Za-z]:/.test(name)) return 'has a name that reads as a drive letter';
  if (hasControl(name)) return 'has a control character in its name';
  return undefined;
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
