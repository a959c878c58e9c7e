/** The globs of `exclude` and `never_restore`: against the whole path below a backed-up path, as a shell with `globstar`. */
import { ancestorsOf, textOf, type Raw } from './paths.ts';

/** Signing state (validator state, slashing protection) of the programs we know: DESIGN.md section 6. Always in force. */
export const SIGNING_STATE: readonly string[] = [
  '**/priv_validator_state.json',
  '**/slashing_protection.sqlite*',
  '**/slashprotection',
];

export type Matcher = (path: Raw) => boolean;

/** `*` and `?` stay within one name; `**` crosses directories, and in front of a slash also stands for none. */
export function matcher(globs: readonly string[]): Matcher {
  const patterns = globs.map(patternOf);
  return (path) => {
    const text = textOf(path);
    return patterns.some((pattern) => pattern.test(text));
  };
}

/** Whether a path, or a directory above it, matches. */
export function within(matches: Matcher): Matcher {
  return (path) => matches(path) || ancestorsOf(path).some(matches);
}

function patternOf(glob: string): RegExp {
  const source = glob.replace(/\/$/, '').replaceAll(/\*\*\/|\*\*|\*|\?|[^*?]+/g, translate);
  return new RegExp(`^${source}$`, 'su');
}

function translate(part: string): string {
  if (part === '**/') return '(?:.*/)?';
  if (part === '**') return '.*';
  if (part === '*') return '[^/]*';
  return part === '?' ? '[^/]' : part.replaceAll(/[.+^${}()|[\]\\/]/g, '\\$&');
}
