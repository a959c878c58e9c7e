import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isInUse, removeVersion } from '../../../src/activation/remove-version.ts';
import { removeLeftovers } from '../../../src/activation/stage.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import { parseNodeName, parseVersion, type Version } from '../../../src/release.ts';

const files = durableFiles(() => Promise.reject(new Error('unused')));
const old = parseVersion('1.0.0') as Version;
let root: string;
let layout: NodeLayout;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'remove-'));
  const node = parseNodeName('demo');
  if (node === undefined) throw new Error('demo');
  layout = layoutAt(root).node(node);
  await mkdir(join(layout.versions, '1.0.0', 'bin'), { recursive: true });
  await copyFile('/bin/sleep', join(layout.versions, '1.0.0', 'bin', 'noded'));
  for (const name of ['.1.0.0.complete', '.1.0.0.files']) await writeFile(join(layout.versions, name), '{}');
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

describe('a version', () => {
  it('is in use while any process runs a program of it', async () => {
    const child = spawn(join(layout.versions, '1.0.0', 'bin', 'noded'), ['60'], { stdio: 'ignore' });
    try {
      await once(child, 'spawn');
      expect(await isInUse(old, layout)).toBe(true);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
    expect(await isInUse(old, layout)).toBe(false);
  });

  it('is removed with its record, and nothing else', async () => {
    await mkdir(join(layout.versions, '2.0.0'));
    await removeVersion(old, layout, files);
    expect(await readdir(layout.versions)).toEqual(['2.0.0']);
  });

  it('has no name any more when it is half removed', async () => {
    const failing = { ...files, removeTree: () => Promise.reject(new Error('the disk says no')) };
    await expect(removeVersion(old, layout, failing)).rejects.toThrow('the disk says no');
    expect(await readdir(layout.versions)).toEqual([expect.stringMatching(/^\.removed-/)]);
  });

  it('is not half there: a record whose directory a death has left out is swept, and that of a version stays [F071]', async () => {
    for (const name of ['.2.0.0.complete', '.2.0.0.files', '.3.0.0-rc.1+b.complete', '.4.0.0.files', 'notes', '.keep'])
      await writeFile(join(layout.versions, name), '{}');
    await mkdir(join(layout.versions, '.removed-0123'));
    await removeLeftovers(layout, files);
    expect((await readdir(layout.versions)).sort()).toEqual([
      '.1.0.0.complete',
      '.1.0.0.files',
      '.keep',
      '1.0.0',
      'notes',
    ]);
  });
});
