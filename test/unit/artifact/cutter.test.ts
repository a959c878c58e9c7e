import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/manifest.ts';
import * as make from './archives.ts';
import { makeDesk } from './desk.ts';
import { refusalOf } from './refusal-of.ts';

const { expectRefused, pathsOf, written } = makeDesk();

describe('extended headers', () => {
  it('takes a name and a target from PAX records and from GNU long names', async () => {
    const long = 'd/'.repeat(40) + 'n'.repeat(150);
    const gnu = make.archive(make.extension('L', `${long}\0`), make.file('short', 'x'));
    const posix = make.archive(make.pax({ path: long, mtime: '1.5' }), make.file('short', 'x'));
    expect(await pathsOf(gnu)).toEqual([long]);
    expect(await pathsOf(posix)).toEqual([long]);
  });

  it('lets in the comment that git archive writes for all entries', async () => {
    const comment = make.extension('g', '52 comment=0123456789012345678901234567890123456789\n');
    expect(await pathsOf(make.archive(comment, make.file('a')))).toEqual(['a']);
  });

  it.each([
    {
      name: 'a capability',
      parts: [make.pax({ 'SCHILY.xattr.security.capability': 'x' }), make.file('a')],
      code: 'UNSAFE',
    },
    { name: 'a global size', parts: [make.extension('g', '9 size=3\n'), make.file('a')], code: 'UNSAFE' },
    { name: 'a NUL in a PAX name', parts: [make.pax({ path: 'a\0b' }), make.file('a')], code: 'UNSAFE' },
    {
      name: 'a record longer than its header',
      parts: [make.extension('x', '99 path=b\n'), make.file('a')],
      code: 'MALFORMED',
    },
    {
      name: 'a record with a padded length',
      parts: [make.extension('x', '010 path=b\n'), make.file('a')],
      code: 'MALFORMED',
    },
    {
      name: 'bytes behind the last record',
      parts: [make.extension('x', '10 path=b\nrest'), make.file('a')],
      code: 'MALFORMED',
    },
    { name: 'an empty name', parts: [make.pax({ path: '' }), make.file('a')], code: 'MALFORMED' },
    { name: 'bytes behind a long name', parts: [make.extension('L', 'a\0b\0'), make.file('a')], code: 'MALFORMED' },
    {
      name: 'a PAX header and a long name',
      parts: [make.pax({ path: 'b' }), make.extension('L', 'a\0'), make.file('a')],
      code: 'MALFORMED',
    },
    {
      name: 'two long names',
      parts: [make.extension('L', 'a\0'), make.extension('L', 'b\0'), make.file('a')],
      code: 'MALFORMED',
    },
    {
      name: 'an extended header that is too long',
      parts: [make.extension('x', Buffer.alloc(LIMITS.paxBytes + 1, 'x')), make.file('a')],
      code: 'MALFORMED',
    },
  ])('refuses $name [F048]', async ({ parts, code }) => {
    await expectRefused(make.archive(...parts), `ARTIFACT_${code}`);
  });
});

describe('header blocks', () => {
  it.each([
    { name: 'a wrong checksum', change: (block: Buffer) => block.fill('b', 0, 1) },
    { name: 'bytes hidden behind a name', change: (block: Buffer) => make.summed(block.fill('x', 50, 51)) },
    { name: 'a link target on a file', change: (block: Buffer) => make.summed(block.fill('x', 157, 158)) },
    { name: 'a mode that is no number', change: (block: Buffer) => make.summed(block.fill('9', 100, 107)) },
  ])('refuses $name', async ({ change }) => {
    await expectRefused(make.archive(change(make.header({ name: 'a' }))), 'ARTIFACT_MALFORMED');
  });

  it('refuses a directory or a link with a body', async () => {
    for (const fields of [
      { name: 'd/', type: '5' },
      { name: 'l', type: '2', link: 'x' },
    ]) {
      await expectRefused(make.archive(make.header({ ...fields, size: 512 }), Buffer.alloc(512)), 'ARTIFACT_MALFORMED');
    }
  });

  it('refuses a lone zero block at the end', async () => {
    await expectRefused(Buffer.concat([make.file('a'), Buffer.alloc(512)]), 'ARTIFACT_MALFORMED');
  });

  it('never ends in another way than an inventory or an ARTIFACT_ error, whatever byte is changed', async () => {
    const good = await readFile(`${make.fixtures}002-good-pax-long-name.tar`);
    const where = fc.nat({ max: good.length - 1 });
    await fc.assert(
      fc.asyncProperty(where, fc.nat({ max: 255 }), async (at, value) => {
        const bytes = Buffer.from(good);
        bytes.writeUInt8(value, at);
        const outcome = await refusalOf(await written(bytes), make.PLENTY);
        expect(outcome).toMatch(/^(accepted|ARTIFACT_)/);
      }),
      { numRuns: 200 },
    );
  });
});
