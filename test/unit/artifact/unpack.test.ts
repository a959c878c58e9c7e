import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inventoryOf } from '../../../src/artifact/headers.ts';
import { unpack } from '../../../src/artifact/unpack.ts';
import * as make from './archives.ts';

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

/** What this process has open. */
function openPaths(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the descriptor of this very listing
    }
  });
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
    { name: 'another name', parts: [make.file('b', 'x')] },
    { name: 'another size', parts: [make.file('a', 'xy')] },
    { name: 'another mode', parts: [make.file('a', 'x', '0000755')] },
    { name: 'an entry more', parts: [make.file('a', 'x'), make.file('b')] },
    { name: 'an entry less', parts: [] },
  ])('refuses an archive that has $name since its headers were checked', async ({ parts }) => {
    const inventory = await inventoryOf(await written(make.file('a', 'x')), make.PLENTY);
    const changed = await written(...parts);
    await expect(unpack(changed, inventory, target)).rejects.toMatchObject({ code: 'ARTIFACT_MALFORMED' });
  });

  it('closes the file that it was writing when the archive ends early', async () => {
    const archive = await written(make.file('a', 'x'.repeat(400_000)));
    const inventory = await inventoryOf(archive, make.PLENTY);
    await truncate(archive, 200_000);
    await expect(unpack(archive, inventory, target)).rejects.toMatchObject({ code: 'ARTIFACT_MALFORMED' });
    expect(openPaths()).not.toContain(join(target, 'a'));
  });

  it('hands control back while it works', async () => {
    const archive = await written(...Array.from({ length: 40 }, (_, at) => make.file(`f${at}`, 'x'.repeat(50_000))));
    let pieces = 0;
    await unpack(archive, await inventoryOf(archive, make.PLENTY), target, () => pieces++);
    expect(pieces).toBeGreaterThan(5);
  });
});
