import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/artifact/digest.ts';

let path: string;

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'digest-')), 'file');
});
afterEach(async () => {
  await rm(join(path, '..'), { recursive: true });
});

describe('digestOf', () => {
  it.each([0, 1, 1024 * 1024, 1024 * 1024 + 1, 3_500_000])('is the SHA-256 of all %i bytes', async (size) => {
    const bytes = randomBytes(size);
    await writeFile(path, bytes);
    await using file = await open(path);
    await file.read(Buffer.alloc(10), 0, 10, null); // the offset that others left does not matter
    expect(await digestOf(file, path)).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('says DISK_IO when the file cannot be read', async () => {
    await using directory = await open(join(path, '..'));
    await expect(digestOf(directory, path)).rejects.toMatchObject({ code: 'DISK_IO' });
  });
});
