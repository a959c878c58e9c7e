/** Version ordering for "is this newer": semver where both are semver, else parts of digits and text, as dpkg would. */
// Not the whole of semver: `status` compares as well, and must start in a moment.
import compareBuild from 'semver/functions/compare-build.js';
import parse from 'semver/functions/parse.js';
import type { Version } from './release.ts';

/** Negative when a is older than b, 0 when they rank the same, positive when a is newer. */
export function compareVersions(a: Version, b: Version): number {
  const left = parse(a, { loose: true });
  const right = parse(b, { loose: true });
  if (left !== null && right !== null) return compareBuild(left, right);
  return compareParts(a, b);
}

function compareParts(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = comparePart(left[i] ?? '', right[i] ?? '');
    if (difference !== 0) return difference;
  }
  return 0;
}

function comparePart(a: string, b: string): number {
  if (/^\d+$/.test(a) && /^\d+$/.test(b)) {
    const difference = BigInt(a) - BigInt(b);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}
