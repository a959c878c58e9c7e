import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../../src/host/lock.ts';
import type { Run } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lock-'));
  path = join(directory, 'storj.lock');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Another process that takes the lock with our code and keeps it until it is killed. */
async function holder(): Promise<ChildProcess> {
  const host = join(import.meta.dirname, '../../../src/host');
  const script = `
    const { takeLock } = await import(${JSON.stringify(`${host}/lock.ts`)});
    const { run } = await import(${JSON.stringify(`${host}/run.ts`)});
    globalThis.lock = await takeLock(${JSON.stringify(path)}, 'node-updater@storj.service', run);
    console.log('locked');
    setInterval(() => globalThis.lock, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

describe('the lock of a node', () => {
  it('is held by one at a time, and given back by dispose [F109][P38]', async () => {
    const first = await takeLock(path, 'the first run', run);
    await expect(takeLock(path, 'the second run', run)).rejects.toMatchObject({ code: 'HOST_LOCKED', exit: 75 });
    await first[Symbol.asyncDispose]();
    await using second = await takeLock(path, 'the second run', run);
    expect(second.path).toBe(path);
  });

  it('says who holds it, across processes, and is free again once that one is killed [F109][F110]', async () => {
    const other = await holder();
    try {
      await expect(takeLock(path, 'us', run)).rejects.toThrow(`node-updater@storj.service (pid ${other.pid ?? 0})`);
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    await using lock = await takeLock(path, 'us', run);
    expect(lock.path).toBe(path);
  });

  it('names the holder of now, not a part of the one before', async () => {
    const long = await takeLock(path, 'a run with a long name', run);
    await long[Symbol.asyncDispose]();
    await using lock = await takeLock(path, 'a run', run);
    await expect(takeLock(lock.path, 'us', run)).rejects.toThrow(new RegExp(`: a run \\(pid ${process.pid}\\)$`));
  });

  it('names nobody when the holder left no note that can be believed', async () => {
    await using lock = await takeLock(path, 'us', run);
    await writeFile(lock.path, '12 evil\u001b[2Jtext');
    await expect(takeLock(path, 'us', run)).rejects.toThrow(new RegExp(`another run holds ${path}$`));
  });

  it('is not inherited by the programs that we start while we hold it [F110]', async () => {
    const lock = await takeLock(path, 'us', run);
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    await once(child, 'spawn');
    try {
      await lock[Symbol.asyncDispose]();
      await using again = await takeLock(path, 'us', run);
      expect(again.path).toBe(path);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('cannot be opened, and so not be locked, by other users', async () => {
    await using lock = await takeLock(path, 'us', run);
    expect((await stat(lock.path)).mode & 0o777).toBe(0o600);
  });

  it('follows no symbolic link', async () => {
    await symlink(join(directory, 'elsewhere'), path);
    await expect(takeLock(path, 'us', run)).rejects.toMatchObject({ code: 'DISK_IO' });
    await expect(stat(join(directory, 'elsewhere'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is never taken for held, nor for free, when flock itself fails', async () => {
    const noFlock: Run = (command, options) => run(['false', ...command.slice(1)], options);
    const attempt = takeLock(path, 'us', noFlock);
    await expect(attempt).rejects.toMatchObject({ code: 'HOST_TOOL' });
    await using lock = await takeLock(path, 'us', run);
    expect(lock.path).toBe(path);
  });
});
