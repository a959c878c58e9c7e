import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { createGzip, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTar } from '../../../src/artifact/compression.ts';
import { inventoryOf } from '../../../src/artifact/headers.ts';
import * as make from './archives.ts';
import { openPaths } from './open-paths.ts';
import { refusalOf } from './refusal-of.ts';

let work: string;
let count = 0;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'compression-'));
});
afterAll(async () => {
  await rm(work, { recursive: true });
});

async function written(bytes: Buffer): Promise<string> {
  const path = join(work, `${++count}.archive`);
  await writeFile(path, bytes);
  return path;
}

async function pathsOf(bytes: Buffer): Promise<string[]> {
  const { items } = await inventoryOf(await written(bytes), make.PLENTY);
  return items.map(({ path }) => path);
}

async function expectRefused(bytes: Buffer, code: string): Promise<void> {
  expect(await refusalOf(await written(bytes), make.PLENTY)).toBe(code);
}

describe('compression', () => {
  const tar = make.archive(make.file('a', 'x'.repeat(70_000)));
  const second = make.archive(make.file('b', 'other'));

  it.each([
    { name: 'plain', bytes: tar },
    { name: 'gzip', bytes: gzipSync(tar) },
    { name: 'zstd', bytes: zstdCompressSync(tar) },
    { name: 'zstd with an empty frame behind it', bytes: Buffer.concat([zstdCompressSync(tar), zstdCompressSync('')]) },
  ])('reads $name tar', async ({ bytes }) => {
    expect(await pathsOf(bytes)).toEqual(['a']);
  });

  it('reads what gzip, zstd and zstd --long write', async () => {
    const path = await written(tar);
    await make.run('gzip', ['-k', path]);
    await make.run('zstd', ['-q', path, '-o', `${path}.zst`]);
    await make.run('zstd', ['-q', '--long=27', path, '-o', `${path}.long.zst`]);
    for (const suffix of ['.gz', '.zst', '.long.zst']) {
      expect((await inventoryOf(path + suffix, make.PLENTY)).entries).toBe(1);
    }
  });

  it.each([
    { name: 'plain', pack: (bytes: Buffer) => bytes },
    { name: 'gzip', pack: (bytes: Buffer) => gzipSync(bytes) },
    { name: 'zstd', pack: (bytes: Buffer) => zstdCompressSync(bytes) },
  ])(
    'leaves a piece of $name tar as it is until the next is asked for, though that is made meanwhile',
    async ({ pack }) => {
      // Random bytes: what decoders add comes in many small steps, some of which add nothing.
      const bytes = Buffer.concat(
        Array.from({ length: 30 }, () => Buffer.concat([randomBytes(90_000), Buffer.alloc(90_000)])),
      );
      const path = await written(pack(bytes));
      const found: Buffer[] = [];
      for await (const piece of readTar(path)) {
        const before = Buffer.from(piece);
        await stat(path);
        await setImmediate();
        expect(piece.equals(before)).toBe(true);
        found.push(before);
      }
      expect(Buffer.concat(found).equals(bytes)).toBe(true);
    },
  );

  it('closes the archive when its reader stops early', async () => {
    const path = await written(gzipSync(randomBytes(4_000_000)));
    for await (const piece of readTar(path)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(openPaths()).not.toContain(path);
  });

  it.each([
    { name: 'a second gzip member', bytes: Buffer.concat([gzipSync(tar), gzipSync(second)]) },
    { name: 'bytes behind a gzip member', bytes: Buffer.concat([gzipSync(tar), Buffer.from('rest')]) },
    { name: 'zeros behind a gzip member', bytes: Buffer.concat([gzipSync(tar), Buffer.alloc(512)]) },
    { name: 'a second zstd frame', bytes: Buffer.concat([zstdCompressSync(tar), zstdCompressSync(second)]) },
    { name: 'bytes behind a zstd frame', bytes: Buffer.concat([zstdCompressSync(tar), Buffer.from('rest rest rest')]) },
    { name: 'a wrong gzip checksum', bytes: withByte(gzipSync(tar), -8) },
    { name: 'a wrong gzip length', bytes: withByte(gzipSync(tar), -4) },
  ])('refuses $name', async ({ bytes }) => {
    await expectRefused(bytes, 'ARTIFACT_MALFORMED');
  });

  it('refuses an archive cut at any byte [F048]', async () => {
    const small = make.archive(make.file('a', 'some text that does not compress to nothing'));
    const forms = [small, gzipSync(small), zstdCompressSync(small)];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...forms),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        async (bytes, part) => {
          const cut = bytes.subarray(0, Math.floor(bytes.length * part));
          await expectRefused(cut, 'ARTIFACT_MALFORMED');
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    { name: 'xz', bytes: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0, 0]) },
    { name: 'bzip2', bytes: Buffer.from('BZh91AY') },
    { name: 'zip', bytes: Buffer.from('PK\x03\x04') },
  ])('says how to pack again what is compressed with $name', async ({ bytes }) => {
    await expect(inventoryOf(await written(bytes), make.PLENTY)).rejects.toMatchObject({
      code: 'ARTIFACT_UNSUPPORTED',
      remedy: expect.stringContaining('.tar.zst') as string,
    });
  });

  it('reads the whole of a file that Node compressed as a stream', async () => {
    const packer = createGzip();
    packer.end(tar);
    expect(await pathsOf(await buffer(packer))).toEqual(['a']);
  });

  it('says DISK_IO when there is no archive', async () => {
    await expect(inventoryOf(join(work, 'none'), make.PLENTY)).rejects.toMatchObject({ code: 'DISK_IO' });
  });
});

function withByte(bytes: Buffer, at: number): Buffer {
  const index = bytes.length + at;
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  return bytes;
}
