/**
 * The kinds of text that a configuration may hold. Values end in unit files, command lines and paths of a root process:
 * what systemd or the kernel would read differently than it looks is refused here, by name, before it gets anywhere.
 */
import { accepted, formatSize, parseDuration, parsePercent, parseSize, refused, type Parsed } from './units.ts';

/** Control characters, halves of a surrogate pair, and code points that systemd drops a whole line for. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

export function plainText(value: unknown): Parsed<string> {
  if (typeof value !== 'string') return refused(`must be a string in quotes, not ${kindOf(value)}`);
  if (value === '') return refused('must not be empty');
  if (value.length > 4096) return refused('is longer than 4096 characters');
  return UNPRINTABLE.test(value) ? refused('holds a control character or a line break') : accepted(value);
}

/** One line that systemd shows; a backslash at its end would swallow the next line of the unit. */
export function description(value: unknown): Parsed<string> {
  const text = plainText(value);
  if (!text.ok) return text;
  return text.value.endsWith('\\') ? refused('must not end in a backslash') : accepted(text.value.trim());
}

export function duration(least: number, most: number, describe: (ms: number) => string) {
  return (value: unknown): Parsed<number> => {
    const parsed = typeof value === 'number' && value >= 0 ? parseDuration(String(value)) : parseTextDuration(value);
    if (!parsed.ok) return parsed;
    if (parsed.value < least) return refused(`is too short; at least ${describe(least)}`);
    return parsed.value > most ? refused(`is too long; at most ${describe(most)}`) : parsed;
  };
}

function parseTextDuration(value: unknown): Parsed<number> {
  if (typeof value !== 'string') return refused(`must be a length of time such as "90s", not ${kindOf(value)}`);
  return parseDuration(value);
}

export function size(least: number): (value: unknown) => Parsed<number> {
  return (value) => {
    if (typeof value !== 'string' && typeof value !== 'number') {
      return refused(`must be a size such as "512M", not ${kindOf(value)}`);
    }
    const parsed = parseSize(String(value));
    return parsed.ok && parsed.value < least ? refused(`is too small; at least ${least} bytes`) : parsed;
  };
}

export function integer(least: number, most: number): (value: unknown) => Parsed<number> {
  return (value) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      return refused(`must be a whole number, not ${kindOf(value)}`);
    }
    return value < least || value > most ? refused(`must be between ${least} and ${most}`) : accepted(value);
  };
}

export function truth(value: unknown): Parsed<boolean> {
  return typeof value === 'boolean' ? accepted(value) : refused(`must be true or false, not ${kindOf(value)}`);
}

export function matching(pattern: RegExp, wanted: string): (value: unknown) => Parsed<string> {
  return (value) => {
    const text = plainText(value);
    return text.ok && !pattern.test(text.value) ? refused(`must be ${wanted}`) : text;
  };
}

export function absolutePath(value: unknown): Parsed<string> {
  const text = plainText(value);
  if (!text.ok) return text;
  const path = text.value.length > 1 ? text.value.replace(/\/$/, '') : text.value;
  if (!path.startsWith('/')) return refused('must be an absolute path');
  if (path.endsWith('\\') || path !== path.trim()) return refused('must not end in a backslash or a blank');
  if (path === '/') return accepted(path);
  return hasOddSegment(path.slice(1)) ? refused('must be a path without "//", "." or ".."') : accepted(path);
}

/** A path below the version directory, or below `current`. */
export function relativePath(value: unknown): Parsed<string> {
  const text = plainText(value);
  if (!text.ok) return text;
  const path = text.value.replace(/^\.\//, '');
  if (path.startsWith('/')) return refused('must be relative to the release, so that it follows an upgrade');
  // systemd replaces %, and $ in the first argument; neither has a business in a program's name.
  if (/[$%\\]/.test(path)) return refused('must not hold "$", "%" or a backslash');
  return hasOddSegment(path) ? refused('must be a path without "//", "." or ".."') : accepted(path);
}

/** For names below a backed-up path; `*`, `?` and `**` mean what they do in a shell. */
export function glob(value: unknown): Parsed<string> {
  const text = plainText(value);
  if (!text.ok) return text;
  if (text.value.startsWith('/')) return refused('must be relative to the paths of the backup');
  return hasOddSegment(text.value.replace(/\/$/, '')) ? refused('must be a glob without "//", "." or ".."') : text;
}

function hasOddSegment(path: string): boolean {
  return path.split('/').some((segment) => segment === '' || segment === '.' || segment === '..');
}

/** MemoryMax= as systemd takes it: bytes, a share of the host's memory, or `infinity`. */
export function memoryLimit(value: unknown): Parsed<string> {
  const text = plainText(typeof value === 'number' ? String(value) : value);
  if (!text.ok || text.value === 'infinity') return text;
  if (text.value.endsWith('%')) {
    const share = parsePercent(text.value);
    if (!share.ok) return share;
    return share.value > 0 && share.value <= 10_000 ? text : refused('must be more than 0% and at most 100%');
  }
  const bytes = parseSize(text.value);
  if (!bytes.ok) return bytes;
  return bytes.value < 1024 ** 2 ? refused('is below 1M: nothing could start') : accepted(formatSize(bytes.value));
}

/** CPUQuota=: 100% is one whole CPU. */
export function cpuQuota(value: unknown): Parsed<string> {
  const text = plainText(value);
  if (!text.ok) return text;
  const share = parsePercent(text.value);
  if (!share.ok) return share;
  return share.value < 100 ? refused('is below 1%: nothing could start') : text;
}

/** In words, for "not …". */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return value instanceof Date ? 'a date' : 'a table';
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'boolean') return 'true or false';
  return Number.isInteger(value) ? 'a whole number' : 'a number';
}
