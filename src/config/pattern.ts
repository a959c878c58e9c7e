import { plainText } from './text.ts';
import { accepted, refused, type Parsed } from './units.ts';

const LONGEST = 512;

/** A regular expression with at least one group; compiled here, so that a typo shows before a release is judged by it. */
export function versionPattern(value: unknown): Parsed<string> {
  const text = plainText(value);
  if (!text.ok) return text;
  if (text.value.length > LONGEST) return refused(`is longer than ${LONGEST} characters`);
  try {
    // An alternative that matches nothing tells the number of groups.
    const groups = new RegExp(`${text.value}|`).exec('');
    if (groups === null || groups.length < 2) return refused('has no group: put the version in parentheses');
  } catch (error) {
    return refused(`is no regular expression: ${error instanceof Error ? error.message : String(error)}`);
  }
  return accepted(text.value);
}
