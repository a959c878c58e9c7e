import { execFileSync } from 'node:child_process';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inventoryOf, readHeaders } from '../../../src/artifact/headers.ts';
import * as make from './archives.ts';
import { makeDesk } from './desk.ts';
import { refusalOf } from './refusal-of.ts';

const SIGNED_LIMIT = { entries: 10_000, unpackedSize: 2 ** 40 };
const rows = await make.corpus();
const { expectRefused, pathsOf, written } = makeDesk();

describe('the corpus', () => {
  it.each(rows.filter(({ expect }) => expect === 'accept' || expect === 'normalise'))(
    'accepts $file ($note) [F049]',
    async ({ file }) => {
      const { entries } = await inventoryOf(make.fixtures + file, SIGNED_LIMIT);
      expect(entries).toBeGreaterThan(0);
    },
  );

  it.each(rows.filter(({ expect }) => expect === 'reject'))('refuses $file ($note) [F048]', async ({ file }) => {
    const code = file.startsWith('106-') ? /^ARTIFACT_COUNTS$/ : /^ARTIFACT_(UNSAFE|MALFORMED)$/;
    expect(await refusalOf(make.fixtures + file, SIGNED_LIMIT)).toMatch(code);
  });

  it.each(rows.filter(({ expect }) => expect === 'either'))(
    'refuses $file ($note), which readers take differently',
    async ({ file }) => {
      expect(await refusalOf(make.fixtures + file, SIGNED_LIMIT)).toMatch(/^ARTIFACT_(MALFORMED|UNSUPPORTED)$/);
    },
  );

  it.each(['bsdtar.tar.gz', 'python.tar.gz'])('accepts %s, as that tool writes it by default', async (file) => {
    const { items } = await inventoryOf(make.fixtures + file, make.PLENTY);
    expect(items.filter(({ kind }) => kind === 'link')).toHaveLength(2);
    expect(items.map(({ path }) => path.length)).toContain('lib/'.length + 241 + (file.startsWith('python') ? 9 : 0));
  });
});

describe('signed counts', () => {
  const bytes = make.archive(make.directory('./'), make.file('a', 'four'), make.link('l', 'a'));

  it('accepts an archive that holds just what is signed, and counts as `tar t | wc -l` does [F050]', async () => {
    const path = await written(bytes);
    const { stdout } = await make.run('tar', ['tf', path]);
    const entries = stdout.trim().split('\n').length;
    await expect(readHeaders(path, { entries, unpackedSize: 4 })).resolves.toMatchObject({ entries: 3 });
  });

  it.each([
    { name: 'an entry more', signed: { entries: 2, unpackedSize: 4 } },
    { name: 'an entry less', signed: { entries: 4, unpackedSize: 4 } },
    { name: 'a byte more', signed: { entries: 3, unpackedSize: 3 } },
    { name: 'a byte less', signed: { entries: 3, unpackedSize: 5 } },
  ])('refuses an archive with $name than is signed [F050]', async ({ signed }) => {
    await expect(readHeaders(await written(bytes), signed)).rejects.toMatchObject({ code: 'ARTIFACT_COUNTS' });
  });

  it.each([
    { format: 'gzip', pack: gzipSync },
    { format: 'zstd', pack: zstdCompressSync },
    { format: 'xz', pack: (bytes: Buffer) => execFileSync('xz', ['-0c'], { input: bytes, maxBuffer: 2 ** 27 }) },
  ])('stops at the header of a $format bomb, before its body is decompressed [F051]', async ({ pack }) => {
    const size = 64 * 1024 * 1024;
    const bomb = pack(make.archive(make.header({ name: 'zeros', size }), Buffer.alloc(size)));
    let seen = 0;
    const reading = readHeaders(await written(bomb), { entries: 1, unpackedSize: 1000 }, (bytes) => {
      seen += bytes;
    });
    await expect(reading).rejects.toMatchObject({ code: 'ARTIFACT_COUNTS' });
    expect(bomb.length).toBeLessThan(size / 500);
    expect(seen).toBeLessThan(1024 * 1024);
  });

  it('refuses zeros without end behind the end of the archive [F051]', async () => {
    await expectRefused(gzipSync(make.archive(make.file('a'), Buffer.alloc(4 * 1024 * 1024))), 'ARTIFACT_MALFORMED');
  });
});

describe('what together is unsafe', () => {
  it.each([
    { name: 'a file below a link', parts: [make.directory('d/'), make.link('l', 'd'), make.file('l/x')] },
    {
      name: 'a link over the parent of an earlier file',
      parts: [make.file('l/x'), make.directory('d/'), make.link('l', 'd')],
    },
    { name: 'a file below a file', parts: [make.file('a'), make.file('a/b')] },
    { name: 'the same directory twice', parts: [make.directory('d/'), make.directory('d/')] },
    { name: 'two spellings of an accent', parts: [make.file('caf\u00e9'), make.file('cafe\u0301')] },
    { name: 'directories that differ by case', parts: [make.file('Lib/a'), make.file('lib/b')] },
    { name: 'the sharp s and ss', parts: [make.file('stra\u00dfe'), make.file('STRASSE')] },
    { name: 'a link out in steps', parts: [make.link('here', '.'), make.link('out', 'here/..')] },
    { name: 'a link out and in again', parts: [make.directory('a/'), make.link('l', '../top/a')] },
    { name: 'a link through a file', parts: [make.file('f'), make.link('l', 'f/')] },
    { name: 'three links in a circle', parts: [make.link('a', 'b'), make.link('b', 'c'), make.link('c', 'a')] },
    { name: 'a reserved name', parts: [make.file('./.Complete')] },
    { name: 'a file below a reserved name', parts: [make.file('.staging/0')] },
    { name: 'a newline in a name', parts: [make.file('a\nb')] },
  ])('refuses $name [F048]', async ({ parts }) => {
    await expectRefused(make.archive(...parts), 'ARTIFACT_UNSAFE');
  });

  it('accepts links that go up and stay inside, and links to directories', async () => {
    const parts = [
      make.file('lib/x'),
      make.link('bin/x', '../lib/x'),
      make.link('lib64', 'lib'),
      make.link('y', 'lib64/x'),
    ];
    expect(await pathsOf(make.archive(...parts))).toEqual(['lib/x', 'bin/x', 'lib64', 'y']);
  });

  it.each([
    { form: 'PAX', extended: make.pax({ linkpath: `d/${'n'.repeat(200)}` }) },
    { form: 'GNU', extended: make.extension('K', `d/${'n'.repeat(200)}\0`) },
  ])('accepts a link target over 100 bytes in a header of the $form form [F049]', async ({ extended }) => {
    const target = [make.pax({ path: `d/${'n'.repeat(200)}` }), make.file('short')];
    expect(await pathsOf(make.archive(...target, extended, make.link('l', 'n')))).toHaveLength(2);
  });

  it('accepts a directory that comes after what lies in it', async () => {
    expect(await pathsOf(make.archive(make.file('d/x'), make.directory('d/')))).toEqual(['d/x', 'd']);
  });

  it('accepts chains of shared libraries in any order of their entries', async () => {
    const chain = [
      make.file('lib/libx.so.1.2', 'elf'),
      make.link('lib/libx.so.1', 'libx.so.1.2'),
      make.link('lib/libx.so', 'libx.so.1'),
      make.link('lib/liby.so', '../lib/libx.so'),
    ];
    const order = fc.shuffledSubarray(chain, { minLength: chain.length });
    await fc.assert(
      fc.asyncProperty(order, async (parts) => {
        expect(await pathsOf(make.archive(...parts))).toHaveLength(chain.length);
      }),
      { numRuns: 24 },
    );
  });
});
