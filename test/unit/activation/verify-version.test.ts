import { execFile } from 'node:child_process';
import { appendFile, chmod, chown, cp, mkdir, mkdtemp, open, readFile, rename } from 'node:fs/promises';
import { rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stageRelease } from '../../../src/activation/stage.ts';
import { verifyVersion, type Verdict } from '../../../src/activation/verify-version.ts';
import { inventoryOf } from '../../../src/artifact/headers.ts';
import { unpack } from '../../../src/artifact/unpack.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { Digest, NodeName, Version } from '../../../src/release.ts';
import * as make from '../artifact/archives.ts';

const NAME = '1.0.0' as Version;
const DIRECTORIES = ['bin', 'bin-extra', 'lib', 'lib/deep', 'lib/deep/er'];
/** Long ones go through the decoder in pieces, and are read in pieces. */
const FILES: Readonly<Record<string, string>> = {
  'bin/demo': '#!/bin/sh\n'.repeat(60_000),
  'bin/empty': '',
  'bin-extra/demo': 'x',
  'lib/deep/er/file': 'y'.repeat(1000),
  'lib/name \u00fc \u732b': 'z',
  // To node:readline, the end of a line.
  'lib/lines \u2028 \u2029': 'v',
  'lib.txt': 'w'.repeat(1_200_000),
};
let root: string;
let layout: NodeLayout;
let top: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'verify-'));
  layout = layoutAt(root).node('demo' as NodeName);
  top = join(layout.versions, NAME);
  const files = Object.entries(FILES).map(([path, text]) =>
    make.file(path, text, path === 'bin/demo' ? '0000755' : '0000644'),
  );
  const directories = DIRECTORIES.map((path) => make.directory(`${path}/`));
  const archive = join(root, 'archive');
  await writeFile(archive, make.archive(...directories, make.link('lib/link', '../bin/demo'), ...files));
  const counts = await inventoryOf(archive, make.PLENTY);
  const { entries, unpackedSize } = counts;
  const release = { version: NAME, digest: 'a'.repeat(64) as Digest, entries, unpackedSize, binary: 'bin/demo' };
  const fill = (directory: string) => unpack(archive, counts, directory);
  await stageRelease(release, fill, layout, durableFiles(run));
});
afterEach(() => rm(root, { recursive: true }));

const verify = (): Promise<Verdict> => verifyVersion(NAME, layout, () => undefined);

/** What the verdict names, or '' for a version that holds. */
async function named(): Promise<string> {
  const verdict = await verify();
  if (verdict.state === 'unverifiable') return `unverifiable: ${verdict.why}`;
  if (verdict.state === 'holds') return '';
  return verdict.differences.map(({ path, message }) => `${path} ${message}`).join('; ');
}

async function flip(path: string, at: number, bit: number): Promise<void> {
  await using file = await open(join(top, path), 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(
    byte.map((value) => value ^ (1 << bit)),
    0,
    1,
    at,
  );
}

const filled = Object.keys(FILES).filter((path) => FILES[path] !== '');

describe('a staged version', () => {
  it('holds while nobody touches it, and everything in it is counted [F070]', async () => {
    const bytes = Object.values(FILES).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    const entries = 1 + DIRECTORIES.length + Object.keys(FILES).length + 1;
    expect(await verify()).toEqual({ state: 'holds', entries, bytes });
  });

  it('of which any one bit of any file fell over is damaged, and the file is named, until it is right again [F070]', async () => {
    const place = fc.constantFrom(...filled).chain((path) =>
      fc.record({
        path: fc.constant(path),
        at: fc.nat({ max: (FILES[path] ?? '').length - 1 }),
        bit: fc.nat({ max: 7 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(place, async ({ path, at, bit }) => {
        await flip(path, at, bit);
        expect(await named()).toBe(`${path} has another content`);
        await flip(path, at, bit);
      }),
      { numRuns: 40 },
    );
    expect(await named()).toBe('');
  });

  it('of which anything is gone, moved or new is damaged, and that is all that is named [F121]', async () => {
    const paths = fc.constantFrom(...DIRECTORIES, ...Object.keys(FILES), 'lib/link');
    await fc.assert(
      fc.asyncProperty(paths, fc.constantFrom('!', 'new', '~\u00fc'), async (path, name) => {
        const elsewhere = join(root, 'elsewhere');
        await rename(join(top, path), elsewhere);
        expect(await named()).toBe(`${path} is gone`);
        const there = join(top, name);
        await rename(elsewhere, there);
        const both = (await named()).split('; ').sort();
        expect(both).toEqual([`${path} is gone`, `${name} is new`].sort());
        await rename(there, join(top, path));
      }),
      { numRuns: 40 },
    );
    expect(await named()).toBe('');
  });

  it('of which any mode was changed is damaged, and the file is named with both modes [F121]', async () => {
    const paths = fc.constantFrom('', ...DIRECTORIES, ...Object.keys(FILES));
    await fc.assert(
      fc.asyncProperty(paths, fc.constantFrom(0o700, 0o777, 0o2755, 0o4755), async (path, mode) => {
        const before = path === 'bin/demo' || !(path in FILES) ? 0o755 : 0o644;
        await chmod(join(top, path), mode);
        const [is, was] = [mode, before].map((bits) => bits.toString(8).padStart(4, '0'));
        expect(await named()).toBe(`${path === '' ? '.' : path} has another mode: ${is}, not ${was}`);
        await chmod(join(top, path), before);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    {
      name: 'a longer file',
      change: () => appendFile(join(top, 'lib/deep/er/file'), '!'),
      says: 'lib/deep/er/file has another size: 1001 bytes, not 1000',
    },
    {
      name: 'a link that leads elsewhere',
      change: () => relink('lib/link', '/bin/sh'),
      says: 'lib/link leads to /bin/sh, not to ../bin/demo',
    },
    {
      name: 'a link in place of a file',
      change: () => relink('bin/demo', '/bin/sh'),
      says: 'bin/demo is a symbolic link, not a file',
    },
    {
      name: 'a link in place of a directory',
      change: () => relink('lib', '/usr/lib'),
      says: 'lib is a symbolic link, not a directory',
    },
    {
      name: 'a directory in place of a file',
      change: () => replaceByDirectory('bin/empty'),
      says: 'bin/empty is a directory, not a file',
    },
    {
      name: 'a FIFO in place of a file, which is not waited for',
      change: () => replaceByFifo('bin/empty'),
      says: 'bin/empty is a special file, not a file',
    },
    {
      name: 'another content and mode',
      change: () => flip('lib.txt', 7, 1).then(() => chmod(join(top, 'lib.txt'), 0o600)),
      says: 'lib.txt has another mode: 0600, not 0644; lib.txt has another content',
    },
  ])('with $name is damaged [F121]', async ({ change, says }) => {
    await change();
    expect(await named()).toBe(says);
  });

  it.runIf(process.getuid?.() === 0)('of which a file was given away is damaged [F121]', async () => {
    await chown(join(top, 'bin/demo'), 12345, 0);
    expect(await named()).toBe('bin/demo has another owner: 12345:0, not 0:0');
  });

  it('tells at most a hundred differences, and how many there are', async () => {
    for (let n = 0; n < 130; n++) await writeFile(join(top, `new-${n}`), '');
    const verdict = await verify();
    if (verdict.state !== 'damaged') expect.unreachable();
    expect([verdict.differences.length, verdict.count]).toEqual([100, 130]);
  });

  it('shows that it goes on, several times for a large file', async () => {
    let beats = 0;
    await verifyVersion(NAME, layout, () => beats++);
    expect(beats).toBeGreaterThan(Object.keys(FILES).length + DIRECTORIES.length + 2);
  });
});

describe('a version of whose files nothing is known', () => {
  const listing = () => join(layout.versions, '.1.0.0.files');

  it('is not called damaged: an older program has staged it', async () => {
    await unlink(listing());
    await flip('bin/demo', 0, 0);
    expect(await named()).toBe('unverifiable: an older node-updater staged it, and kept no listing of them');
  });

  it('is not called damaged when a bit of the listing itself fell over, or its end is missing [F070]', async () => {
    const whole = await readFile(listing());
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 8 }), async (at, bit) => {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        // The newline at the very end may be any byte that ends no JSON.
        await writeFile(listing(), bit === 8 ? whole.subarray(0, at) : bytes);
        if (at === whole.length - 1 && (await named()) === '') return;
        expect(await named()).toMatch(/^unverifiable: the listing of them/);
      }),
      { numRuns: 80 },
    );
  });

  it('is not called damaged when whole lines at the end of the listing are missing [F070]', async () => {
    const lines = (await readFile(listing(), 'utf8')).trimEnd().split('\n');
    for (let kept = 0; kept < lines.length; kept++) {
      await writeFile(
        listing(),
        lines
          .slice(0, kept)
          .map((line) => `${line}\n`)
          .join(''),
      );
      expect(await named()).toMatch(/^unverifiable: the listing of them/);
    }
  });

  it('is not taken for damaged by the listing of another version', async () => {
    await cp(top, join(layout.versions, '2.0.0'), { recursive: true });
    await cp(listing(), join(layout.versions, '.2.0.0.files'));
    const verdict = await verifyVersion('2.0.0' as Version, layout, () => undefined);
    expect(verdict).toEqual({ state: 'unverifiable', why: 'the listing of them is that of 1.0.0' });
  });
});

describe('a disk that cannot give the bytes of a version back', () => {
  it.each([
    { error: 'EIO', call: 'openat' },
    { error: 'EUCLEAN', call: 'openat' },
    { error: 'EIO', call: 'read' },
    { error: 'EIO', call: 'lstat,newfstatat,statx' },
  ])('makes it damaged, named as such: $error from $call [F065][F070]', async ({ error, call }) => {
    expect(await underStrace('lib/deep/er/file', call, error)).toEqual({
      state: 'damaged',
      differences: [{ path: 'lib/deep/er/file', what: 'unreadable', message: `cannot be read (${error})` }],
      count: 1,
    });
  });

  it('of a directory is told once, and not for all that is in it [F070]', async () => {
    expect(await underStrace('lib/deep', 'openat', 'EIO')).toMatchObject({
      state: 'damaged',
      differences: [{ path: 'lib/deep', message: 'cannot be read (EIO)' }],
      count: 1,
    });
  });

  it('says nothing of the version when only this program has too many files open [F066]', async () => {
    expect(await underStrace('lib/deep/er/file', 'openat', 'EMFILE')).toBe('DISK_IO');
  });
});

/** The verdict, or the code of the error, of a process in which such calls on this path fail. */
async function underStrace(path: string, calls: string, error: string): Promise<unknown> {
  const module = new URL('../../../src/activation/verify-version.ts', import.meta.url).href;
  const script = `import { verifyVersion } from ${JSON.stringify(module)};
const verdict = verifyVersion(${JSON.stringify(NAME)}, ${JSON.stringify({ versions: layout.versions })}, () => undefined);
console.log(JSON.stringify(await verdict.catch(({ code }) => code)));`;
  const inject = ['-f', '-qq', '-o', join(root, 'trace'), '-P', join(top, path)];
  for (const call of calls.split(',')) inject.push('-e', `inject=?${call}:error=${error}`);
  const node = [process.execPath, '--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)('strace', [...inject, ...node]);
  return JSON.parse(stdout);
}

async function relink(path: string, target: string): Promise<void> {
  await rm(join(top, path), { recursive: true });
  await symlink(target, join(top, path));
}

async function replaceByDirectory(path: string): Promise<void> {
  await unlink(join(top, path));
  await mkdir(join(top, path));
  await writeFile(join(top, path, 'inside'), '');
}

async function replaceByFifo(path: string): Promise<void> {
  await unlink(join(top, path));
  await promisify(execFile)('mkfifo', ['-m', '644', join(top, path)]);
}
