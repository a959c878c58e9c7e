import { execFile } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { durableFiles } from '../../../src/host/files.ts';
import type { Run } from '../../../src/host/ports.ts';

const runFile = promisify(execFile);
const filesModule = new URL('../../../src/host/files.ts', import.meta.url).href;
const files = durableFiles(runReal);
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'files-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function runReal(command: readonly string[]): ReturnType<Run> {
  const [program = '', ...rest] = command;
  const done = { signal: undefined, timedOut: false };
  try {
    const { stdout, stderr } = await runFile(program, rest, { encoding: 'buffer' });
    return { status: 0, stdout, stderr, ...done };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: Buffer; stderr: Buffer };
    return { status: code, stdout, stderr, ...done };
  }
}

function failingSync(words: string): Run {
  const stderr = Buffer.from(`sync: error syncing: ${words}\n`);
  return () => Promise.resolve({ status: 1, signal: undefined, timedOut: false, stdout: Buffer.alloc(0), stderr });
}

/** Runs `body` (with `files` and `dir` in scope) in a process of its own behind `wrapper`, and gives what it printed. */
async function elsewhere(wrapper: readonly string[], body: string): Promise<{ stdout: string; stderr: string }> {
  const script = `
    import { durableFiles } from ${JSON.stringify(filesModule)};
    import { openSync, writeSync } from 'node:fs';
    const files = durableFiles(() => Promise.reject(new Error('unused')));
    const dir = ${JSON.stringify(directory)};
    const tell = (p) => p.then(() => console.log('ok'), (e) => console.log(e.code, e.message));
    ${body}`;
  const [program, ...rest] = [...wrapper, process.execPath, '--input-type=module', '-e', script];
  // strace counts calls for each thread: one thread makes the count that of the process.
  return runFile(program, rest, { env: { ...process.env, UV_THREADPOOL_SIZE: '1' } });
}

describe('replace', () => {
  it('puts the whole new content under the name, with the mode asked for whatever the umask', async () => {
    const path = join(directory, 'state.json');
    await writeFile(path, 'old');
    const umask = process.umask(0o077);
    try {
      await files.replace(path, 'new', 0o644);
    } finally {
      process.umask(umask);
    }
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o7777).toBe(0o644);
    expect(await readdir(directory)).toEqual(['state.json']);
  });

  it('leaves the old content and no temporary file when the rename is refused', async () => {
    const path = join(directory, 'taken');
    await mkdir(join(path, 'child'), { recursive: true });
    await expect(files.replace(path, 'new', 0o600)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(await readdir(directory)).toEqual(['taken']);
  });

  it('says DISK_FULL and keeps the old content when the file system is full [F058]', async () => {
    const body = `
      await files.replace(dir + '/a', 'old', 0o600);
      const fill = openSync(dir + '/fill', 'w');
      try { for (;;) writeSync(fill, Buffer.alloc(4096)); } catch {}
      await tell(files.replace(dir + '/a', 'x'.repeat(9000), 0o600));
      const { readFileSync, readdirSync } = await import('node:fs');
      console.log(readFileSync(dir + '/a', 'utf8'), readdirSync(dir).join());`;
    const mounted = `mount -t tmpfs -o size=64k none "${directory}" && exec "$@"`;
    const { stdout } = await elsewhere(['unshare', '-rm', 'sh', '-c', mounted, 'sh'], body);
    expect(stdout).toMatch(/^DISK_FULL .*ENOSPC/);
    expect(stdout).toMatch(/old a,fill\n$/);
  });

  it('says DISK_READ_ONLY on a file system that is mounted read-only [F062]', async () => {
    const mounted = `mount -t tmpfs -o ro none "${directory}" && exec "$@"`;
    const body = `await tell(files.replace(dir + '/a', 'x', 0o600));`;
    const { stdout } = await elsewhere(['unshare', '-rm', 'sh', '-c', mounted, 'sh'], body);
    expect(stdout).toMatch(/^DISK_READ_ONLY .*EROFS/);
  });

  it('never repeats a failed fsync, and throws the file away [F063]', async () => {
    const trace = join(directory, '..', `${directory.split('/').at(-1) ?? ''}.strace`);
    const strace = ['strace', '-f', '-qq', '-o', trace, '-e', 'trace=fsync,fdatasync,rename'];
    const inject = ['-e', 'inject=fsync:error=EIO:when=1'];
    const { stdout } = await elsewhere([...strace, ...inject], `await tell(files.replace(dir + '/a', 'x', 0o600));`);
    const calls = (await readFile(trace, 'utf8')).split('\n').filter((line) => /(sync|rename)\(/.test(line));
    await rm(trace);
    expect(stdout).toMatch(/^DISK_IO .*EIO/);
    expect(calls).toHaveLength(1);
    expect(await readdir(directory)).toEqual([]);
  });

  it('reports a failed fsync of the directory after the rename, with the new content in place [F064]', async () => {
    const inject = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO:when=2'];
    const { stdout } = await elsewhere(inject, `await tell(files.replace(dir + '/a', 'x', 0o600));`);
    expect(stdout).toMatch(/^DISK_IO/);
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('x');
  });
});

describe('append', () => {
  it('makes the file with its mode, then adds to it', async () => {
    const path = join(directory, 'ledger.jsonl');
    await files.append(path, 'one\n', 0o640);
    await files.append(path, 'two\n', 0o600);
    expect(await readFile(path, 'utf8')).toBe('one\ntwo\n');
    expect((await stat(path)).mode & 0o7777).toBe(0o640);
  });

  it('leaves no torn line when the disk fills up in the middle of one [F059]', async () => {
    const body = `
      await files.append(dir + '/l', 'one\\n', 0o600);
      await tell(files.append(dir + '/l', 'x'.repeat(100000), 0o600));
      const { readFileSync } = await import('node:fs');
      console.log(JSON.stringify(readFileSync(dir + '/l', 'utf8')));`;
    const mounted = `mount -t tmpfs -o size=64k none "${directory}" && exec "$@"`;
    const { stdout } = await elsewhere(['unshare', '-rm', 'sh', '-c', mounted, 'sh'], body);
    expect(stdout).toMatch(/^DISK_FULL/);
    expect(stdout).toContain(String.raw`"one\n"`);
  });

  it('does not write through a symbolic link', async () => {
    await files.symlink('elsewhere', join(directory, 'l'));
    await expect(files.append(join(directory, 'l'), 'x', 0o600)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(await readdir(directory)).toEqual(['l']);
  });
});

describe('links, renames and removals', () => {
  it('cuts a file to a size', async () => {
    await writeFile(join(directory, 'a'), '0123456789');
    await files.truncate(join(directory, 'a'), 4);
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('0123');
  });

  it('makes a link only where nothing stands', async () => {
    await files.symlink('versions/1', join(directory, 'fallback'));
    await expect(files.symlink('versions/2', join(directory, 'fallback'))).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(await readlink(join(directory, 'fallback'))).toBe('versions/1');
  });

  it('switches a link with one rename, so that the name always stands for something [F072]', async () => {
    const trace = join(directory, 'trace');
    const body = `await files.symlink('versions/1', dir + '/current'); await files.switchLink('versions/2', dir + '/current');`;
    await elsewhere(['strace', '-f', '-qq', '-o', trace, '-e', 'trace=rename,unlink,symlink,fsync'], body);
    const calls = [...(await readFile(trace, 'utf8')).matchAll(/ (\w+)\(/g)].map((match) => match[1]);
    expect(calls).toEqual(['symlink', 'fsync', 'symlink', 'rename', 'fsync']);
    expect(await readlink(join(directory, 'current'))).toBe('versions/2');
    expect((await readdir(directory)).sort()).toEqual(['current', 'trace']);
  });

  it('switches although a crash left a temporary link of an earlier try [P34]', async () => {
    for (const stale of ['.current', '.current.tmp', 'current.new'])
      await symlink('versions/0', join(directory, stale));
    await files.switchLink('versions/2', join(directory, 'current'));
    expect(await readlink(join(directory, 'current'))).toBe('versions/2');
  });

  it('leaves no temporary link when the rename is refused', async () => {
    await mkdir(join(directory, 'current'));
    await expect(files.switchLink('versions/2', join(directory, 'current'))).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(await readdir(directory)).toEqual(['current']);
  });

  it('renames, and removes once or twice with the same end', async () => {
    await writeFile(join(directory, 'a'), 'x');
    await files.rename(join(directory, 'a'), join(directory, 'b'));
    expect(await readdir(directory)).toEqual(['b']);
    await files.remove(join(directory, 'b'));
    await files.remove(join(directory, 'b'));
    await files.remove(join(directory, 'no', 'b'));
    expect(await readdir(directory)).toEqual([]);
  });

  it('removes a link and not what it points to', async () => {
    await writeFile(join(directory, 'kept'), 'x');
    await files.symlink('kept', join(directory, 'link'));
    await files.remove(join(directory, 'link'));
    expect(await readdir(directory)).toEqual(['kept']);
  });

  it('removes a tree, and nothing where there is none', async () => {
    await mkdir(join(directory, 'tree', 'deep'), { recursive: true });
    await files.removeTree(join(directory, 'tree'));
    await files.removeTree(join(directory, 'tree'));
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('makeDirectory', () => {
  it('gives the mode to the directory and 0755 to parents that were missing', async () => {
    await chmod(directory, 0o700);
    await files.makeDirectory(join(directory, 'state', 'node', 'incoming'), 0o700);
    const mode = async (...parts: string[]) => (await stat(join(directory, ...parts))).mode & 0o7777;
    expect([await mode('state'), await mode('state', 'node')]).toEqual([0o755, 0o755]);
    expect(await mode('state', 'node', 'incoming')).toBe(0o700);
    await files.makeDirectory(join(directory, 'state'), 0o700);
    expect(await mode('state')).toBe(0o755);
  });

  it('refuses a name that a file already has', async () => {
    await writeFile(join(directory, 'file'), '');
    await expect(files.makeDirectory(join(directory, 'file'), 0o755)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect((await lstat(join(directory, 'file'))).isFile()).toBe(true);
  });
});

describe('flushDirectory', () => {
  it('flushes a directory, and refuses what is none', async () => {
    await expect(files.flushDirectory(directory)).resolves.toBeUndefined();
    await expect(files.flushDirectory(join(directory, 'none'))).rejects.toMatchObject({ code: 'DISK_IO' });
  });
});

describe('syncFileSystem', () => {
  it('flushes the file system with sync -f', async () => {
    await expect(files.syncFileSystem(directory)).resolves.toBeUndefined();
  });

  it('reports what sync says, by cause [F058] [F062]', async () => {
    const rows = { DISK_FULL: 'No space left on device', DISK_READ_ONLY: 'Read-only file system', DISK_IO: 'odd' };
    for (const [code, words] of Object.entries(rows)) {
      await expect(durableFiles(failingSync(words)).syncFileSystem('/x')).rejects.toMatchObject({ code });
    }
    await expect(files.syncFileSystem(join(directory, 'none'))).rejects.toMatchObject({ code: 'DISK_IO' });
  });
});

describe('mark', () => {
  it('writes a small file that all may read whatever the umask, over one that is there', async () => {
    const path = join(directory, 'down');
    const umask = process.umask(0o077);
    try {
      await files.mark(path, 'a longer text');
      await files.mark(path, 'text');
    } finally {
      process.umask(umask);
    }
    expect((await stat(path)).mode & 0o7777).toBe(0o644);
    expect(await readFile(path, 'utf8')).toBe('text');
  });

  it('leaves nothing but the mark, wherever its process is killed', async () => {
    const path = join(directory, 'down');
    for (const call of ['openat', 'fchmod', 'write', 'close']) {
      const wrapper = ['strace', '-f', '-o', '/dev/null', '-P', path, '-e', `inject=${call}:signal=KILL`];
      await expect(elsewhere(wrapper, `await files.mark(dir + '/down', 'text');`)).rejects.toThrow(/strace/);
      expect((await readdir(directory)).filter((name) => name !== 'down')).toEqual([]);
    }
  });
});

describe('sweep', () => {
  it('removes what a death in mid-replace left, and nothing else', async () => {
    const wrapper = ['strace', '-f', '-o', '/dev/null', '-e', 'inject=rename:signal=KILL'];
    await writeFile(join(directory, 'state.json'), 'old');
    await elsewhere(wrapper, `await files.replace(dir + '/state.json', 'new', 0o644);`).catch(() => undefined);
    await elsewhere(wrapper, `await files.switchLink('versions/2', dir + '/current');`).catch(() => undefined);
    for (const foreign of ['.profile', '.state.json.swp', '.other.service.0123456789abcdef01234567']) {
      await writeFile(join(directory, foreign), '');
    }
    const before = await readdir(directory);
    await files.sweep(directory, (name) => name !== 'other.service');
    const after = ['.other.service.0123456789abcdef01234567', '.profile', '.state.json.swp', 'state.json'];
    expect(before).toHaveLength(after.length + 2);
    expect((await readdir(directory)).sort()).toEqual(after);
    expect(await readFile(join(directory, 'state.json'), 'utf8')).toBe('old');
  });

  it('has nothing to do where there is no directory', async () => {
    await expect(files.sweep(join(directory, 'missing'), () => true)).resolves.toBeUndefined();
  });
});
