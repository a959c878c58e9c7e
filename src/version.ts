/** Version ordering for "is this newer": semver where both are semver, else parts of digits and text, as dpkg would. */
// Not the whole of semver: `status` compares as well, and must start in a moment.
import parse from 'semver/functions/parse.js';
import type { Version } from './release.ts';

/** Negative when a is older than b, 0 when they rank the same, positive when a is newer. */
export function compareVersions(a: Version, b: Version): number {
  const left = parse(a, { loose: true });
  const right = parse(b, { loose: true });
  // What follows a `+` is of no rank to semver; here one version is built again, and must be taken.
  if (left !== null && right !== null) return left.compare(right) || left.compareBuild(right);
  return compareParts(a, b);
}

/** Text and digits take turns, text first, be it empty. */
function compareParts(a: string, b: string): number {
  const left = a.split(/(\d+)/);
  const right = b.split(/(\d+)/);
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const compare = at % 2 === 0 ? compareText : compareNumber;
    const difference = compare(left[at] ?? '', right[at] ?? '');
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareNumber(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function compareText(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = rank(a.charAt(at)) - rank(b.charAt(at));
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `1.2~rc1` comes before `1.2`, and that before `1.2a`, which comes before `1.2.1`. */
function rank(sign: string): number {
  if (sign === '') return 0;
  if (sign === '~') return -1;
  return /[A-Za-z]/.test(sign) ? sign.charCodeAt(0) : sign.charCodeAt(0) + 256;
}
