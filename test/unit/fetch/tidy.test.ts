import { chmod, link, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../../src/host/run.ts';
import { tidyCache } from '../../../src/fetch/tidy.ts';
import { startServer } from '../../rig/http/server.ts';
import { serve } from '../../rig/http/misbehave.ts';
import { makeRoom } from './helpers.ts';

const body = Buffer.from('what is signed');

/** `mkdir` of a path that is longer than any path may be. */
async function mkdirDeep(directory: string, levels: number): Promise<void> {
  const script = `for (let i = 0; i < ${String(levels)}; i++) { fs.mkdirSync('d'.repeat(200)); process.chdir('d'.repeat(200)); }`;
  const { status, stderr } = await run([process.execPath, '-e', script], { cwd: directory });
  if (status !== 0) throw new Error(stderr.toString());
}

const plants = [
  { name: 'a directory that is not empty', plant: (path: string) => mkdir(join(path, 'inner'), { recursive: true }) },
  { name: 'a FIFO', plant: (path: string) => run(['mkfifo', path]) },
  { name: 'a link to a directory', plant: (path: string) => symlink('/tmp', path) },
  { name: 'a link to nothing', plant: (path: string) => symlink('/none', path) },
  {
    name: 'a second name of a file elsewhere',
    plant: async (path: string) => {
      await writeFile(`${path}-elsewhere`, 'x');
      await link(`${path}-elsewhere`, path);
    },
  },
  {
    name: 'a file without any permission',
    plant: async (path: string) => {
      await writeFile(path, 'x');
      await chmod(path, 0);
    },
  },
  { name: 'a tree deeper than a path is long', plant: async (path: string) => mkdirDeep(await made(path), 50) },
];

async function made(path: string): Promise<string> {
  await mkdir(path);
  return path;
}

describe('a fetch after one that left', () => {
  it.each(
    plants.flatMap(({ name, plant }) =>
      ['file', 'fetch-report.json', '.retry-after.json', 'file.part', 'file.part.json'].map((at) => ({
        name,
        plant,
        at,
      })),
    ),
  )('$name as $at goes through', async ({ plant, at }) => {
    await using room = await makeRoom();
    await using server = await startServer(serve(body, '"v1"'));
    await plant(join(room.directory, at));
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
    expect((await room.content()).equals(body)).toBe(true);
    expect((await room.names()).filter((name) => !name.endsWith('-elsewhere'))).toEqual(['fetch-report.json', 'file']);
  });
});

describe('tidying the cache', () => {
  it('takes what has a name that is no text, follows no link, and leaves ordinary files of one name', async () => {
    await using room = await makeRoom();
    await using outside = await makeRoom();
    await writeFile(join(outside.directory, 'precious'), 'x');
    await mkdir(join(room.directory, 'tree'));
    await symlink(outside.directory, join(room.directory, 'tree', 'link'));
    await symlink(outside.directory, join(room.directory, 'link'));
    await writeFile(join(room.directory, 'file.part'), 'kept');
    await writeFile(Buffer.concat([Buffer.from(`${room.directory}/`), Buffer.from([0xff, 0xfe])]), 'x');
    expect((await tidyCache(room.directory)).toSorted()).toEqual(['link', 'tree', '\ufffd\ufffd']);
    expect(await room.names()).toEqual(['file.part']);
    expect(await readFile(join(room.directory, 'file.part'), 'utf8')).toBe('kept');
    expect(await outside.names()).toEqual(['precious']);
  });

  it('ends what a tidying that was killed has begun', async () => {
    await using room = await makeRoom();
    await mkdir(join(room.directory, '.removed-1', 'inner'), { recursive: true });
    await tidyCache(room.directory);
    expect(await room.names()).toEqual([]);
    expect((await stat(room.directory)).isDirectory()).toBe(true);
  });
});
