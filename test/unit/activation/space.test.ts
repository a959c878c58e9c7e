import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkSpace, findShortage, type FileSystem, type Need } from '../../../src/activation/space.ts';

const MiB = 1024 ** 2;
const need = (path: string, bytes: number, entries = 1): Need => ({ what: 'it', path, bytes, entries });
const on = (device: number, freeBytes: number, freeEntries?: number): FileSystem => ({
  device,
  freeBytes,
  freeEntries,
});

describe('room on the disk', () => {
  it('is enough when each file system holds all that it gets, and a tenth more [F057]', () => {
    const a = { need: need('/a', 100 * MiB), on: on(1, 220 * MiB) };
    const b = { need: need('/b', 100 * MiB), on: on(1, 220 * MiB) };
    expect(findShortage([a, b])).toBeUndefined();
    const tight = { ...b, need: need('/b', 101 * MiB) };
    expect(findShortage([a, tight])).toBe('221.1 MiB are needed for it in /a, it in /b, and 220.0 MiB are free');
    expect(findShortage([a, { ...tight, on: on(2, 220 * MiB) }])).toBeUndefined();
  });

  it('is also inodes, where a file system has a number of them [F060]', () => {
    expect(findShortage([{ need: need('/a', 1, 1000), on: on(1, MiB, 1099) }])).toBe(
      '1100 inodes are needed for it in /a, and 1099 are free',
    );
    expect(findShortage([{ need: need('/a', 1, 1000), on: on(1, MiB) }])).toBeUndefined();
  });
});

describe('the file system of a path', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'space-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is that of the nearest directory that is there', async () => {
    await expect(checkSpace([need(join(directory, 'not/yet'), 1)])).resolves.toBeUndefined();
    await expect(checkSpace([need(join(directory, 'not/yet'), 1e18)])).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining(join(directory, 'not/yet')) as unknown,
    });
  });
});
