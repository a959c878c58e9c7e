import { execFileSync, spawnSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inventoryOf, type SignedCounts } from '../../../src/artifact/headers.ts';
import { unpack } from '../../../src/artifact/unpack.ts';
import { UpdaterError } from '../../../src/errors.ts';
import { cases } from '../../rig/cases.ts';
import * as make from './archives.ts';
import { change, mutated } from './mutate.ts';

const long = `${'n'.repeat(120)}/${'m'.repeat(90)}`;
const TARS = {
  plain: make.archive(
    make.directory('./'),
    make.directory('./bin/'),
    make.file('./bin/node', '#!/bin/sh\n', '0000755'),
    make.file('./lib/libx.so.1.2', 'x'.repeat(700)),
    make.link('./lib/libx.so.1', 'libx.so.1.2'),
    make.link('./bin/x', '../lib/libx.so.1'),
  ),
  pax: make.archive(
    make.pax({ path: `lib/${long}`, mtime: '1700000000.5' }),
    make.file('short', 'long by PAX'),
    make.pax({ linkpath: `lib/${long}` }),
    make.link('l', 'x'),
  ),
  gnu: make.archive(
    make.extension('L', `lib/${long}\0`),
    make.file('short', 'long by GNU'),
    make.extension('K', `lib/${long}\0`),
    make.link('l', 'x'),
  ),
};
const PACK = {
  tar: (bytes: Buffer) => bytes,
  gz: (bytes: Buffer) => gzipSync(bytes, { level: 1 }),
  zst: (bytes: Buffer) => zstdCompressSync(bytes),
  xz: (bytes: Buffer) => execFileSync('xz', ['-0c'], { input: bytes }),
};

/** Bytes that are signed too few. */
const lessSigned = fc.constantFrom(0, 0, 0, 1);
const kind = fc.constantFrom('plain' as const, 'pax' as const, 'gnu' as const);

let work: string;
let outside: string[];
const tally = new Map<string, number>();

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'fuzz-'));
  await mkdir(join(work, 'etc'));
  await writeFile(join(work, 'etc', 'x'), 'not to be touched');
  outside = await everything();
});
afterAll(async () => {
  await rm(work, { recursive: true });
});

/** What is there beside the archive and where it is unpacked. */
async function everything(): Promise<string[]> {
  const lines = await make.treeOf(work);
  return lines.filter((line) => !/^(archive|staging)\b/.test(line));
}

/** Unpacks it as the transaction does, and says how that ended: 'accepted', or the code of the refusal. */
async function verdictOf(path: string, signed: SignedCounts, staging: string): Promise<string> {
  try {
    await unpack(path, signed, staging);
    return 'accepted';
  } catch (error) {
    if (error instanceof UpdaterError && error.code.startsWith('ARTIFACT_')) return error.code;
    throw error;
  }
}

/** Nothing there but what a release may hold, within what is signed, whatever the verdict. */
async function checkStaging(staging: string, signed: SignedCounts): Promise<void> {
  let bytes = 0;
  let files = 0;
  for (const entry of await readdir(staging, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const stats = await lstat(path);
    expect(stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()).toBe(true);
    if (stats.isSymbolicLink()) expect(await realpath(path)).toContain(await realpath(staging));
    else expect(stats.mode & 0o7022).toBe(0);
    if (!stats.isFile()) continue;
    files++;
    bytes += stats.size;
    expect(stats.nlink).toBe(1);
  }
  expect(bytes).toBeLessThanOrEqual(signed.unpackedSize);
  expect(files).toBeLessThanOrEqual(signed.entries);
}

/** Who inspects an archive with GNU tar sees what is unpacked. */
async function checkAgainstTar(path: string, signed: SignedCounts): Promise<void> {
  const ours = (await inventoryOf(path, signed)).items.map((item) => item.path);
  // Its status says more: it also complains of owners and times, which are not unpacked.
  const { stdout } = spawnSync('tar', ['-tf', path, '--quoting-style=literal'], { encoding: 'utf8' });
  const theirs = stdout.split('\n').slice(0, -1);
  expect(ours).toEqual(theirs.map((name) => name.replace(/^\.(\/|$)/, '').replace(/\/$/, '')));
}

describe('mutated archives', () => {
  it.each(['tar', 'gz', 'zst', 'xz'] as const)(
    'of .%s are unpacked within their signed counts as GNU tar lists them, or refused with a code; nothing appears outside the staging directory [F048] [F050] [F051]',
    { timeout: 3_600_000 },
    async (format) => {
      const path = join(work, 'archive');
      const staging = join(work, 'staging');
      const property = fc.asyncProperty(kind, change, lessSigned, async (name, { layer, mutations }, less) => {
        const tar = TARS[name];
        await writeFile(path, tar);
        const { entries, unpackedSize: size } = await inventoryOf(path, make.PLENTY);
        const unpackedSize = size - less;
        const pack = PACK[format];
        await writeFile(path, layer === 'tar' ? pack(mutated(tar, mutations)) : mutated(pack(tar), mutations));
        await mkdir(staging, { mode: 0o700 });
        try {
          const verdict = await verdictOf(path, { entries, unpackedSize }, staging);
          tally.set(verdict, (tally.get(verdict) ?? 0) + 1);
          await checkStaging(staging, { entries, unpackedSize });
          if (verdict === 'accepted') await checkAgainstTar(path, { entries, unpackedSize });
          expect(await everything()).toEqual(outside);
        } finally {
          await rm(staging, { recursive: true });
        }
      });
      await fc.assert(property, { numRuns: cases(format === 'xz' ? 40 : 120) });
    },
  );

  it('meet every verdict', () => {
    console.log('mutated archives:', Object.fromEntries(tally));
    expect([...tally.keys()]).toEqual(
      expect.arrayContaining(['accepted', 'ARTIFACT_MALFORMED', 'ARTIFACT_UNSAFE', 'ARTIFACT_COUNTS']),
    );
  });
});
