import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../../src/host/run.ts';
import { scratch } from '../trust/support.ts';

describe('run', () => {
  it('gives the exit status and both outputs', async () => {
    const result = await run(['/bin/sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(result).toMatchObject({ status: 7, signal: undefined, timedOut: false });
    expect(result.stdout.toString()).toBe('out\n');
    expect(result.stderr.toString()).toBe('err\n');
  });

  it('hands arguments over as they are, without a shell', async () => {
    const result = await run(['/usr/bin/printf', '%s|', '$HOME', 'a b', '; exit 3']);
    expect(result.stdout.toString()).toBe('$HOME|a b|; exit 3|');
  });

  it('feeds the input', async () => {
    const result = await run(['/bin/cat'], { input: 'x'.repeat(300_000) });
    expect(result.stdout.length).toBe(300_000);
  });

  it('takes a program that does not read its input by its exit status', async () => {
    const result = await run(['/bin/true'], { input: Buffer.alloc(1_000_000) });
    expect(result.status).toBe(0);
  });

  it('keeps only as much output as it was told and lets the program end', async () => {
    const result = await run(['/bin/sh', '-c', 'head -c 500000 /dev/zero; echo done >&2'], { outputLimit: 1000 });
    expect(result.stdout.length).toBe(1000);
    expect(result).toMatchObject({ status: 0, timedOut: false });
    expect(result.stderr.toString()).toBe('done\n');
  });

  it('kills a program that outlives its time [F047]', async () => {
    const result = await run(['/bin/sleep', '600'], { timeout: 50 });
    expect(result).toMatchObject({ status: undefined, signal: 'SIGKILL', timedOut: true });
  });

  it('returns in time when a grandchild keeps the output open', async () => {
    await using directory = await scratch();
    const pidFile = join(directory.path, 'pid');
    const result = await run(['/bin/sh', '-c', `sleep 600 & echo $! > ${pidFile}; exit 0`], { timeout: 300 });
    process.kill(Number(await readFile(pidFile, 'utf8')));
    expect(result.timedOut).toBe(true);
  });

  it('tells the signal that ended a program', async () => {
    expect(await run(['/bin/sh', '-c', 'kill -ABRT $$'])).toMatchObject({ status: undefined, signal: 'SIGABRT' });
  });

  it('gives only the environment and the directory that it was told', async () => {
    await using directory = await scratch();
    const result = await run(['/usr/bin/env'], { env: { ONLY: 'this' }, cwd: directory.path });
    expect(result.stdout.toString()).toBe('ONLY=this\n');
    const where = await run(['/bin/pwd'], { cwd: directory.path });
    expect(where.stdout.toString().trim()).toBe(directory.path);
  });

  it('lets the program inherit descriptors from 3 on', async () => {
    await using directory = await scratch();
    const path = join(directory.path, 'file');
    await writeFile(path, 'inherited');
    await using file = await open(path);
    const result = await run(['/bin/cat', '/proc/self/fd/3'], { descriptors: [file.fd] });
    expect(result.stdout.toString()).toBe('inherited');
  });

  it('fails with HOST_TOOL, keeping the cause, for a program that is not there', async () => {
    const missing = run(['/nonexistent/tool'], { input: 'x' });
    await expect(missing).rejects.toMatchObject({ code: 'HOST_TOOL', cause: { code: 'ENOENT' } });
  });

  it('fails with HOST_TOOL for arguments that no program can get', async () => {
    await expect(run(['/bin/echo', 'a\0b'])).rejects.toMatchObject({ code: 'HOST_TOOL' });
  });
});
