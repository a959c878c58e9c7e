import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { createGzip, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTar } from '../../../src/artifact/compression.ts';
import { inventoryOf } from '../../../src/artifact/headers.ts';
import * as make from './archives.ts';
import { makeDesk } from './desk.ts';
import { openPaths } from './open-paths.ts';

const { expectRefused, pathsOf, written } = makeDesk();

function xzSync(bytes: Buffer | string, ...options: string[]): Buffer {
  return execFileSync('xz', ['--compress', '--stdout', '-0', ...options], { input: bytes, maxBuffer: 2 ** 27 });
}

describe('compression', () => {
  const tar = make.archive(make.file('a', 'x'.repeat(70_000)));
  const second = make.archive(make.file('b', 'other'));

  it.each([
    { name: 'plain', bytes: tar },
    { name: 'gzip', bytes: gzipSync(tar) },
    { name: 'zstd', bytes: zstdCompressSync(tar) },
    { name: 'xz', bytes: xzSync(tar) },
    { name: 'xz in many blocks', bytes: xzSync(tar, '--block-size=4096') },
    { name: 'xz without a check', bytes: xzSync(tar, '--check=none') },
    { name: 'xz -9e', bytes: xzSync(tar, '-9e') },
    { name: 'xz with a filter for programs', bytes: xzSync(tar, '--x86', '--lzma2=preset=6') },
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
    { name: 'xz', pack: (bytes: Buffer) => xzSync(bytes) },
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

  it.each([
    { name: 'gzip', pack: (bytes: Buffer) => gzipSync(bytes) },
    { name: 'xz', pack: (bytes: Buffer) => xzSync(bytes) },
  ])('closes the archive and ends its programs when the reader of $name tar stops early', async ({ pack }) => {
    const path = await written(pack(randomBytes(4_000_000)));
    for await (const piece of readTar(path)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(openPaths()).not.toContain(path);
    expect(programs()).toEqual([]);
  });

  it.each([
    { name: 'a second gzip member', bytes: Buffer.concat([gzipSync(tar), gzipSync(second)]) },
    { name: 'bytes behind a gzip member', bytes: Buffer.concat([gzipSync(tar), Buffer.from('rest')]) },
    { name: 'zeros behind a gzip member', bytes: Buffer.concat([gzipSync(tar), Buffer.alloc(512)]) },
    { name: 'a second zstd frame', bytes: Buffer.concat([zstdCompressSync(tar), zstdCompressSync(second)]) },
    { name: 'bytes behind a zstd frame', bytes: Buffer.concat([zstdCompressSync(tar), Buffer.from('rest rest rest')]) },
    { name: 'a second xz stream', bytes: Buffer.concat([xzSync(tar), xzSync(second)]) },
    { name: 'an empty xz stream behind another', bytes: Buffer.concat([xzSync(tar), xzSync('')]) },
    { name: 'bytes behind an xz stream', bytes: Buffer.concat([xzSync(tar), Buffer.from('rest')]) },
    { name: 'zeros behind an xz stream, which xz takes', bytes: Buffer.concat([xzSync(tar), Buffer.alloc(512)]) },
    { name: 'a wrong xz check', bytes: withByte(xzSync(tar), -28 - 4) },
    { name: 'a wrong xz index', bytes: withByte(xzSync(tar), -12 - 6) },
    { name: 'an xz stream without content', bytes: xzSync('') },
    { name: 'a wrong gzip checksum', bytes: withByte(gzipSync(tar), -8) },
    { name: 'a wrong gzip length', bytes: withByte(gzipSync(tar), -4) },
  ])('refuses $name', async ({ bytes }) => {
    await expectRefused(bytes, 'ARTIFACT_MALFORMED');
  });

  it('refuses an archive cut at any byte [F048]', async () => {
    const small = make.archive(make.file('a', 'some text that does not compress to nothing'));
    const forms = [small, gzipSync(small), zstdCompressSync(small), xzSync(small)];
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
    { name: 'bzip2', bytes: Buffer.from('BZh91AY') },
    { name: 'zip', bytes: Buffer.from('PK\x03\x04') },
    { name: 'lzma', bytes: execFileSync('xz', ['--format=lzma', '--stdout'], { input: 'a tar' }) },
    { name: 'lzip', bytes: Buffer.from('LZIP\x01') },
    { name: '7z', bytes: Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]) },
    { name: 'compressed twice: with gzip, then with zstd', bytes: zstdCompressSync(gzipSync(make.archive())) },
    { name: 'compressed twice: with xz, then with gzip', bytes: gzipSync(xzSync(make.archive())) },
    { name: 'compressed twice: with lzma', bytes: xzSync(Buffer.from([0x5d, 0, 0, 0x80, 0])) },
  ])('calls it by its name and says how to pack again: $name', async ({ name, bytes }) => {
    await expect(inventoryOf(await written(bytes), make.PLENTY)).rejects.toMatchObject({
      code: 'ARTIFACT_UNSUPPORTED',
      message: expect.stringContaining(name) as string,
      remedy: expect.stringContaining('.tar.zst') as string,
    });
  });

  it('reads a tar whose first file has a name that begins as another format does', async () => {
    for (const name of ['BZh', 'LZIP', ']']) expect(await pathsOf(make.archive(make.file(name, 'x')))).toEqual([name]);
    expect(await pathsOf(gzipSync(make.archive(make.file('BZh', 'x'))))).toEqual(['BZh']);
  });

  it('reads the whole of a file that Node compressed as a stream', async () => {
    const packer = createGzip();
    packer.end(tar);
    expect(await pathsOf(await buffer(packer))).toEqual(['a']);
  });

  it('says DISK_IO when there is no archive', async () => {
    await expect(inventoryOf(`${make.fixtures}none`, make.PLENTY)).rejects.toMatchObject({ code: 'DISK_IO' });
  });
});

/** The programs that this process has started and that are not gone. */
function programs(): string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()).filter((name) => name === 'xz');
}

function withByte(bytes: Buffer, at: number): Buffer {
  const index = bytes.length + at;
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  return bytes;
}
