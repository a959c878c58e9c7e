import { chmod, chown, lstat, mkdir, mkdtemp, readFile, readdir, readlink } from 'node:fs/promises';
import { rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  isStaged,
  listStaged,
  stageRelease,
  type ReleaseToStage,
  type UnpackInto,
} from '../../../src/activation/stage.ts';
import { unpack } from '../../../src/artifact/unpack.ts';
import type { Listed } from '../../../src/listing.ts';
import { UpdaterError } from '../../../src/errors.ts';
import { durableFiles } from '../../../src/host/files.ts';
import type { Files } from '../../../src/host/ports.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import { listTree } from './list-tree.ts';
import * as make from '../artifact/archives.ts';
import type { Digest, NodeName, Version } from '../../../src/release.ts';

let root: string;
let layout: NodeLayout;
const calls: string[] = [];
const real = durableFiles(() => {
  const none = Buffer.alloc(0);
  calls.push('sync -f');
  return Promise.resolve({ status: 0, signal: undefined, timedOut: false, stdout: none, stderr: none });
});
/** The real thing, with a note of the order. */
const files: Files = {
  ...real,
  replace: async (path, bytes, mode) => {
    calls.push(path.endsWith('.files') ? 'listing' : 'record');
    await real.replace(path, bytes, mode);
  },
  rename: async (from, to) => {
    calls.push('rename');
    await real.rename(from, to);
  },
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stage-'));
  layout = layoutAt(root).node('demo' as NodeName);
  calls.length = 0;
});
afterEach(() => rm(root, { recursive: true }));

const digest = (letter: string): Digest => letter.repeat(64) as Digest;
const version = (text: string): Version => text as Version;

function release(change: Partial<ReleaseToStage> = {}): ReleaseToStage {
  const defaults = { version: version('1.0.0'), digest: digest('a'), entries: 1, unpackedSize: 10, binary: 'bin/node' };
  return { ...defaults, ...change };
}

async function fill(directory: string): Promise<Listed[]> {
  calls.push('unpack');
  await mkdir(join(directory, 'bin'));
  await writeFile(join(directory, 'bin/node'), '#!/bin/sh\n', { mode: 0o755 });
  return listTree(directory);
}

const names = async (): Promise<string[]> => (await readdir(layout.versions)).sort();

describe('stageRelease', () => {
  it('gives a release its name only when it is whole and flushed, and records and lists it beside the tree', async () => {
    await stageRelease(release(), fill, layout, files);
    expect(calls).toEqual(['unpack', 'listing', 'record', 'sync -f', 'rename']);
    expect(await names()).toEqual(['.1.0.0.complete', '.1.0.0.files', '1.0.0']);
    expect(await readdir(join(layout.versions, '1.0.0'))).toEqual(['bin']);
    expect(JSON.parse(await readFile(join(layout.versions, '.1.0.0.complete'), 'utf8'))).toEqual({
      schema: 1,
      version: '1.0.0',
      sha256: 'a'.repeat(64),
      entries: 1,
      unpackedSize: 10,
    });
  });

  it('leaves nothing that anybody but its owner can write', async () => {
    const umask = process.umask(0);
    try {
      await stageRelease(release(), fill, layout, files);
    } finally {
      process.umask(umask);
    }
    for (const name of ['', '1.0.0', '.1.0.0.complete', '.1.0.0.files']) {
      expect((await stat(join(layout.versions, name))).mode & 0o022).toBe(0);
    }
    expect((await stat(join(layout.versions, '1.0.0'))).mode & 0o7777).toBe(0o755);
  });

  it('unpacks where nobody else can look or plant anything', async () => {
    let mode = 0;
    const watched: UnpackInto = async (directory) => {
      mode = (await stat(directory)).mode & 0o7777;
      return fill(directory);
    };
    await stageRelease(release(), watched, layout, files);
    expect(mode).toBe(0o700);
  });

  it.runIf(process.getuid?.() === 0)('does not hand the group of a setgid parent down to the release', async () => {
    await mkdir(layout.versions, { recursive: true });
    await chown(layout.versions, 0, 12345);
    await chmod(layout.versions, 0o2755);
    await stageRelease(release(), fill, layout, files);
    for (const name of ['1.0.0', '1.0.0/bin', '1.0.0/bin/node']) {
      const stats = await stat(join(layout.versions, name));
      expect([stats.gid, stats.mode & 0o7000]).toEqual([0, 0]);
    }
  });

  it('does nothing when the same bytes are staged already', async () => {
    await stageRelease(release(), fill, layout, files);
    calls.length = 0;
    await stageRelease(release(), fill, layout, files);
    expect(calls).toEqual([]);
  });

  it('refuses the same version with other bytes, and leaves what is there', async () => {
    await stageRelease(release(), fill, layout, files);
    const other = stageRelease(release({ digest: digest('b') }), fill, layout, files);
    await expect(other).rejects.toMatchObject({ code: 'HOST_STATE' });
    expect(await isStaged(layout, version('1.0.0'), digest('a'))).toBe(true);
  });

  it('refuses a version directory that it did not stage, and leaves it', async () => {
    await mkdir(join(layout.versions, '1.0.0'), { recursive: true });
    await expect(stageRelease(release(), fill, layout, files)).rejects.toMatchObject({ code: 'HOST_STATE' });
    expect(await names()).toEqual(['1.0.0']);
  });

  it('removes what died half-staged, and only the name of a planted link [F055] [P54]', async () => {
    const precious = join(root, 'precious');
    await mkdir(precious);
    await writeFile(join(precious, 'kept'), '');
    await mkdir(join(layout.versions, '.staging-0123/bin'), { recursive: true });
    await symlink(precious, join(layout.versions, '.staging-link'));
    await stageRelease(release(), fill, layout, files);
    expect(await names()).toEqual(['.1.0.0.complete', '.1.0.0.files', '1.0.0']);
    expect(await readdir(precious)).toEqual(['kept']);
  });

  it('never takes a staging name twice, so that none can be made ready beforehand [F055]', async () => {
    const seen = new Set<string>();
    for (const text of ['1', '2', '3']) {
      const watched: UnpackInto = (directory) => (seen.add(directory), fill(directory));
      await stageRelease(release({ version: version(text) }), watched, layout, files);
    }
    expect(seen.size).toBe(3);
  });

  it.each([
    {
      name: 'unpacking',
      change: {},
      unpack: () => Promise.reject(new UpdaterError('DISK_FULL', 'full', { remedy: '' })),
      code: 'DISK_FULL',
    },
    { name: 'the entry point', change: { binary: 'bin/other' }, unpack: fill, code: 'ARTIFACT_ENTRY_POINT' },
  ])('leaves no trace when $name fails [F048] [F052]', async ({ change, unpack, code }) => {
    await expect(stageRelease(release(change), unpack, layout, files)).rejects.toMatchObject({ code });
    expect(await names()).toEqual([]);
  });

  it('leaves no version when the file system cannot be flushed [F063]', async () => {
    const broken: Files = {
      ...files,
      syncFileSystem: () => Promise.reject(new UpdaterError('DISK_IO', 'EIO', { remedy: '' })),
    };
    await expect(stageRelease(release(), fill, layout, broken)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(await names()).toEqual(['.1.0.0.complete', '.1.0.0.files']);
    expect(await isStaged(layout, version('1.0.0'), digest('a'))).toBe(false);
    await stageRelease(release({ digest: digest('b') }), fill, layout, files);
    expect(await isStaged(layout, version('1.0.0'), digest('b'))).toBe(true);
  });

  it('flushes a large release while it is unpacked, once at a time, and as a whole at the end', async () => {
    let [running, most, flushes] = [0, 0, 0];
    const slow: Files = {
      ...files,
      syncFileSystem: async (path) => {
        flushes++;
        most = Math.max(most, ++running);
        await setImmediate();
        await files.syncFileSystem(path);
        running--;
      },
    };
    const large: UnpackInto = async (directory, wrote) => {
      for (let at = 0; at < 100; at++) {
        wrote(16 * 1024 * 1024);
        if (at % 10 === 0) await setImmediate();
      }
      return fill(directory);
    };
    await stageRelease(release(), large, layout, slow);
    expect(most).toBe(1);
    expect(flushes).toBeGreaterThan(3);
    expect(calls.slice(-2)).toEqual(['sync -f', 'rename']);
  });

  it('leaves no version when a flush in between met a lost write, of which the last would not hear [F063]', async () => {
    let flushes = 0;
    const broken: Files = {
      ...files,
      syncFileSystem: () =>
        ++flushes === 1 ? Promise.reject(new UpdaterError('DISK_IO', 'EIO', { remedy: '' })) : Promise.resolve(),
    };
    const large: UnpackInto = async (directory, wrote) => {
      wrote(100 * 1024 * 1024);
      await setImmediate();
      wrote(100 * 1024 * 1024);
      return fill(directory);
    };
    await expect(stageRelease(release(), large, layout, broken)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(flushes).toBe(1);
    expect(await names()).toEqual([]);
  });

  it('removes nothing under a flush that is under way when unpacking fails [F048]', async () => {
    let flushing = false;
    const watched: Files = {
      ...files,
      syncFileSystem: async () => {
        flushing = true;
        await setImmediate();
        flushing = false;
      },
      removeTree: async (path) => {
        expect(flushing).toBe(false);
        await files.removeTree(path);
      },
    };
    const large: UnpackInto = (_directory, wrote) => {
      wrote(100 * 1024 * 1024);
      return Promise.reject(new UpdaterError('ARTIFACT_UNSAFE', 'unsafe', { remedy: '' }));
    };
    await expect(stageRelease(release(), large, layout, watched)).rejects.toMatchObject({ code: 'ARTIFACT_UNSAFE' });
    expect(await names()).toEqual([]);
  });

  it('leaves nothing of an archive that is refused at its last header [F048]', async () => {
    const archive = join(root, 'archive');
    await writeFile(archive, make.archive(make.file('bin/node', '#!', '0000755'), make.link('bad', '/etc/passwd')));
    const unpackInto: UnpackInto = (directory) => unpack(archive, { entries: 2, unpackedSize: 2 }, directory);
    await expect(stageRelease(release(), unpackInto, layout, files)).rejects.toMatchObject({ code: 'ARTIFACT_UNSAFE' });
    expect(await names()).toEqual([]);
  });

  it('refuses a versions directory that others may write [F056]', async () => {
    await mkdir(layout.versions, { recursive: true });
    await chmod(layout.versions, 0o777);
    await expect(stageRelease(release(), fill, layout, files)).rejects.toMatchObject({ code: 'HOST_STATE' });
    expect(await names()).toEqual([]);
  });
});

describe('isStaged and listStaged', () => {
  it('know nothing before anything is staged', async () => {
    expect(await isStaged(layout, version('1.0.0'), digest('a'))).toBe(false);
    expect(await listStaged(layout)).toEqual([]);
  });

  it('believe a directory with its record, and neither alone', async () => {
    await stageRelease(release(), fill, layout, files);
    await stageRelease(release({ version: version('2.0.0') }), fill, layout, files);
    expect((await listStaged(layout)).sort()).toEqual(['1.0.0', '2.0.0']);
    await rm(join(layout.versions, '.1.0.0.complete'));
    await rm(join(layout.versions, '2.0.0'), { recursive: true });
    expect(await listStaged(layout)).toEqual([]);
  });

  it.each(['', '{', 'null', '{"schema":2}', '{"schema":1,"version":"9","sha256":"x","entries":1,"unpackedSize":1}'])(
    'do not believe the record %j',
    async (text) => {
      await stageRelease(release(), fill, layout, files);
      await writeFile(join(layout.versions, '.1.0.0.complete'), text);
      expect(await isStaged(layout, version('1.0.0'), digest('a'))).toBe(false);
    },
  );

  it('do not take a link for a version', async () => {
    await stageRelease(release(), fill, layout, files);
    await symlink('1.0.0', join(layout.versions, '2.0.0'));
    await writeFile(
      join(layout.versions, '.2.0.0.complete'),
      (await readFile(join(layout.versions, '.1.0.0.complete'), 'utf8')).replace('1.0.0', '2.0.0'),
    );
    expect(await listStaged(layout)).toEqual(['1.0.0']);
    expect((await lstat(join(layout.versions, '2.0.0'))).isSymbolicLink()).toBe(true);
    expect(await readlink(join(layout.versions, '2.0.0'))).toBe('1.0.0');
  });
});
