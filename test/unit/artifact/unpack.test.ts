import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inventoryOf } from '../../../src/artifact/headers.ts';
import { unpack } from '../../../src/artifact/unpack.ts';
import * as make from './archives.ts';
import { openPaths } from './open-paths.ts';

const rows = (await make.corpus()).filter(({ expect }) => expect === 'accept' || expect === 'normalise');
let work: string;
let target: string;

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'unpack-'));
  target = join(work, 'target');
  await mkdir(target, { mode: 0o700 });
});
afterEach(async () => {
  await rm(work, { recursive: true });
});

async function written(...parts: readonly Buffer[]): Promise<string> {
  const path = join(work, 'archive');
  await writeFile(path, make.archive(...parts));
  return path;
}

async function unpacked(archive: string, directory = target): Promise<string[]> {
  await unpack(archive, await inventoryOf(archive, make.PLENTY), directory);
  return make.treeOf(directory);
}

/** Every name below `target`. */
async function namesThere(): Promise<string[]> {
  return (await readdir(target, { recursive: true })).sort();
}

describe('unpack', () => {
  it.each(rows)('unpacks $file ($note) with our owner, plain modes and no time to come [F049]', async ({ file }) => {
    const umask = process.umask(0o077);
    try {
      await unpacked(make.fixtures + file);
    } finally {
      process.umask(umask);
    }
    for (const name of await readdir(target, { recursive: true })) {
      const stats = await lstat(join(target, name));
      if (!stats.isSymbolicLink()) expect([0o755, 0o644]).toContain(stats.mode & 0o7777);
      expect(stats.uid).toBe(process.getuid?.());
      expect(stats.mtimeMs).toBeLessThanOrEqual(Date.now() + 1000);
    }
  });

  it('keeps a file executable, and nothing else of its mode', async () => {
    const parts = [
      make.file('run', '#!', '0000711'),
      make.file('data', 'x', '0000666'),
      make.file('none', '', '0000000'),
    ];
    expect(await unpacked(await written(...parts))).toEqual(['data 644 x', 'none 644 ', 'run 755 #!']);
  });

  it('makes one tree of a chain of shared libraries in any order of its entries', async () => {
    const chain = [
      make.file('lib/libx.so.1.2', 'elf'),
      make.link('lib/libx.so.1', 'libx.so.1.2'),
      make.link('lib/libx.so', 'libx.so.1'),
      make.link('lib64', 'lib'),
      make.directory('lib/'),
    ];
    let round = 0;
    const order = fc.shuffledSubarray(chain, { minLength: chain.length });
    await fc.assert(
      fc.asyncProperty(order, async (parts) => {
        const directory = join(work, `round-${++round}`);
        await mkdir(directory);
        const tree = await unpacked(await written(...parts), directory);
        const links = ['lib/libx.so -> libx.so.1', 'lib/libx.so.1 -> libx.so.1.2', 'lib/libx.so.1.2 644 elf'];
        expect(tree).toEqual(['lib/ 755', ...links, 'lib64 -> lib']);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    { tool: 'tar c .', args: ['-C', 'source', '.'] },
    { tool: 'tar c NAMES', args: ['-C', 'source', 'bin', 'lib'] },
    { tool: 'tar c --format=posix', args: ['--format=posix', '-C', 'source', '.'] },
    { tool: 'tar cz', args: ['-z', '-C', 'source', '.'] },
    { tool: 'tar cJ', args: ['-J', '-C', 'source', '.'] },
    { tool: 'tar c --zstd', args: ['--zstd', '-C', 'source', '.'] },
  ])('makes the same tree as GNU tar from what $tool writes', async ({ args }) => {
    await mkdir(join(work, 'source/bin'), { recursive: true });
    const long = join(work, 'source/lib', 'n'.repeat(120), 'm'.repeat(120));
    await mkdir(long, { recursive: true });
    await writeFile(join(work, 'source/bin/node'), 'x'.repeat(600_000), { mode: 0o755 });
    await writeFile(join(long, '\u00fc \u732b'), 'name');
    await writeFile(join(work, 'source/lib/libx.so.1'), 'elf');
    await symlink('libx.so.1', join(work, 'source/lib/libx.so'));
    execFileSync('tar', ['-cf', 'archive', ...args], { cwd: work });
    await mkdir(join(work, 'theirs'));
    execFileSync('tar', ['-xf', 'archive', '-C', 'theirs', '--no-same-permissions'], { cwd: work });
    expect(await unpacked(join(work, 'archive'))).toEqual(await make.treeOf(join(work, 'theirs')));
  });

  it.each([
    { name: 'a file that something put there first', plant: 'a' },
    { name: 'a directory that something put there first', plant: 'd' },
  ])('does not write into $name, nor through a link [F055]', async ({ plant }) => {
    const elsewhere = join(work, 'elsewhere');
    await mkdir(elsewhere);
    await symlink(elsewhere, join(target, plant));
    const archive = await written(make.file('a', 'x'), make.file('d/b', 'x'));
    await expect(unpacked(archive)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(await readdir(elsewhere)).toEqual([]);
  });

  it.each([
    { name: 'an unsafe link', last: [make.link('bad', '/etc/passwd')] },
    { name: 'a link that leads nowhere', last: [make.link('bad', 'none')] },
    { name: 'a name that is there already', last: [make.file('bin/a')] },
    { name: 'a device', last: [make.header({ name: 'bad', type: '3' })] },
    { name: 'a wrong checksum', last: [make.file('bad').fill(0x37, 100, 104)] },
    { name: 'an entry more than is signed', last: [make.file('bad'), make.file('worse')] },
    { name: 'a byte more than is signed', last: [make.file('bad', 'x'.repeat(1001))] },
    { name: 'an entry less than is signed', last: [] },
    { name: 'a byte less than is signed', last: [make.file('bad', 'x'.repeat(999))] },
  ])(
    'gives nothing a name, a mode or a place when $name is the last of the archive [F048] [F050]',
    async ({ last }) => {
      const big = 'x'.repeat(600_000);
      const good = [
        make.directory('bin/'),
        make.file('bin/a', big, '0000755'),
        make.file('0', big),
        make.link('l', 'bin'),
      ];
      const archive = await written(...good, ...last);
      const seen = new Set<string>();
      const look = (): void => {
        for (const name of readdirSync(target, { recursive: true, encoding: 'utf8' })) seen.add(name);
      };
      const signed = { entries: good.length + 1, unpackedSize: 1_201_000 };
      const code = expect.stringMatching(/^ARTIFACT_/) as string;
      await expect(unpack(archive, signed, target, look)).rejects.toMatchObject({ code });
      look();
      expect([...seen].filter((name) => !/^\.staging(\/\d+)?$/.test(name))).toEqual([]);
      expect(seen).toContain('.staging/1');
      for (const name of await namesThere()) {
        expect((await lstat(join(target, name))).mode & 0o7777).toBe(name === '.staging' ? 0o700 : 0o600);
      }
    },
  );

  it('never writes more bytes than are signed, nor the body of a file that would exceed them [F051]', async () => {
    const archive = await written(make.file('a', 'x'.repeat(1000)), make.file('b', 'x'.repeat(100_000)));
    const unpacking = unpack(archive, { entries: 2, unpackedSize: 1001 }, target);
    await expect(unpacking).rejects.toMatchObject({ code: 'ARTIFACT_COUNTS' });
    expect(await namesThere()).toEqual(['.staging', '.staging/0']);
  });

  it('leaves of its own places nothing in the release, whatever the archive calls its files', async () => {
    const parts = [make.file('0', 'zero'), make.file('1/0', 'one'), make.file('2', 'two')];
    expect(await unpacked(await written(...parts))).toEqual(['0 644 zero', '1/ 755', '1/0 644 one', '2 644 two']);
  });

  it('closes the file that it was writing when the archive ends early', async () => {
    const archive = await written(make.file('a', 'x'.repeat(400_000)));
    const inventory = await inventoryOf(archive, make.PLENTY);
    await truncate(archive, 200_000);
    await expect(unpack(archive, inventory, target)).rejects.toMatchObject({ code: 'ARTIFACT_MALFORMED' });
    expect(openPaths().filter((path) => path.startsWith(target))).toEqual([]);
  });

  it('hands control back while it works', async () => {
    const archive = await written(...Array.from({ length: 40 }, (_, at) => make.file(`f${at}`, 'x'.repeat(50_000))));
    let pieces = 0;
    await unpack(archive, await inventoryOf(archive, make.PLENTY), target, () => pieces++);
    expect(pieces).toBeGreaterThan(5);
  });
});
