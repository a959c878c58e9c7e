import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseVersion, type Version } from '../../src/release.ts';
import { compareVersions } from '../../src/version.ts';

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(`${text} is no version`);
  return parsed;
}

describe('compareVersions', () => {
  it.each([
    ['1.2.3-rc1', '1.2.3', 'semver'],
    ['1.9.0', '1.10.0', 'semver'],
    ['v1.9.0', 'v1.10.0', 'semver with a letter before it'],
    ['1.2.3', '1.2.3+1', 'a build of semver'],
    ['1.2.3+5', '1.2.3+10', 'builds of semver'],
    ['2026.9.1', '2026.11.20', 'dates'],
    ['1.2~rc1', '1.2', 'what dpkg calls a candidate'],
    ['1.2.3~rc1', '1.2.3', 'a candidate of what would be semver'],
    ['1.2~rc1', '1.2~rc2', 'two candidates'],
    ['1.2', '1.2a', 'a letter behind it'],
    ['1.2a', '1.2.1', 'a letter and a further number'],
    ['1.0', '1.0+git1', 'a plus'],
    ['1.2.3.9', '1.2.3.10', 'four numbers'],
    ['r9', 'r10', 'a letter and a number'],
  ])('takes %s for older than %s (%s)', (older, newer) => {
    expect(compareVersions(version(older), version(newer))).toBeLessThan(0);
    expect(compareVersions(version(newer), version(older))).toBeGreaterThan(0);
  });

  it('ranks a number the same with zeros before it', () => {
    expect(compareVersions(version('r01'), version('r1'))).toBe(0);
  });

  it('says of what is no semver what dpkg says', () => {
    // Four numbers are no semver, and dpkg reads what follows the last hyphen apart from the rest.
    const tail = fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', 'Z', '.', '+', '~', '_'), maxLength: 6 });
    fc.assert(
      fc.property(tail, tail, (one, other) => {
        const [a, b] = [`1.2.3.4${one}`, `1.2.3.4${other}`];
        const said = Math.sign(compareVersions(version(a), version(b)));
        expect(dpkgSays(a, b, ['lt', 'eq', 'gt'][said + 1] ?? '')).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

/** dpkg knows no underscore in a version, and ranks one all the same, with a warning. */
function dpkgSays(a: string, b: string, relation: string): boolean {
  try {
    execFileSync('dpkg', ['--compare-versions', a, relation, b], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
