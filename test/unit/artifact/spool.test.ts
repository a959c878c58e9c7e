import { execFileSync } from 'node:child_process';
import {
  appendFile,
  chmod,
  chown,
  link,
  mkdir,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/artifact/digest.ts';
import { readSpool, takeCopy, type SpoolFile } from '../../../src/artifact/spool.ts';

let work: string;
let directory: string;
let copy: string;

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'spool-'));
  directory = join(work, 'spool');
  copy = join(work, 'copy');
  await mkdir(directory, { mode: 0o755 });
});
afterEach(async () => {
  await rm(work, { recursive: true });
});

function spool(limit: number, name = 'a'): SpoolFile {
  return { directory, name, limit };
}

async function digest(path: string): Promise<string> {
  await using file = await open(path);
  return await digestOf(file, path);
}

async function expectRefused(code: string, name = 'a'): Promise<void> {
  await expect(takeCopy(spool(100, name), copy)).rejects.toMatchObject({ code });
  await expect(readSpool(directory, name, 100)).rejects.toMatchObject({ code });
  await expect(stat(copy)).rejects.toMatchObject({ code: 'ENOENT' });
}

describe('takeCopy', () => {
  it('copies a file, closed to others, and says how much it wrote', async () => {
    const bytes = Buffer.alloc(2_500_000, 'abc');
    await writeFile(join(directory, 'a'), bytes);
    expect(await takeCopy(spool(bytes.length), copy)).toBe(bytes.length);
    expect((await readFile(copy)).equals(bytes)).toBe(true);
    expect((await stat(copy)).mode & 0o7777).toBe(0o600);
  });

  it('does not write over a file that is there', async () => {
    await writeFile(join(directory, 'a'), 'x');
    await writeFile(copy, 'mine');
    await expect(takeCopy(spool(100), copy)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(await readFile(copy, 'utf8')).toBe('mine');
  });

  it('gives a copy that no longer changes while the spool file is rewritten and replaced [F053]', async () => {
    const first = Buffer.alloc(40 * 1024 * 1024, 'first ');
    await writeFile(join(directory, 'a'), first);
    const taking = takeCopy(spool(first.length), copy);
    const rewriting = open(join(directory, 'a'), 'r+').then(async (file) => {
      await file.write(Buffer.alloc(1024 * 1024, 'other '), 0, 1024 * 1024, first.length - 1024 * 1024);
      await file.close();
      await symlink('/etc/passwd', join(directory, 'b'));
      await rename(join(directory, 'b'), join(directory, 'a'));
    });
    const [taken] = await Promise.all([taking, rewriting]);
    const before = await digest(copy);
    await writeFile(join(directory, 'a'), 'another file by now');
    expect(taken).toBe(first.length);
    expect((await stat(copy)).size).toBe(first.length);
    expect(await digest(copy)).toBe(before);
  });

  it('stops one byte behind the limit when a file grows while it is read [F053]', async () => {
    const limit = 8 * 1024 * 1024;
    await writeFile(join(directory, 'a'), Buffer.alloc(limit));
    const taking = takeCopy(spool(limit), copy);
    await Promise.all([
      expect(taking).rejects.toMatchObject({ code: 'TRUST_SIZE' }),
      appendFile(join(directory, 'a'), 'x'),
    ]);
    await expect(stat(copy)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('both ways to read a spool', () => {
  it('accept an empty file and one of just the limit', async () => {
    await writeFile(join(directory, 'a'), '');
    expect(await readSpool(directory, 'a', 0)).toHaveLength(0);
    await writeFile(join(directory, 'a'), 'x'.repeat(100));
    expect((await readSpool(directory, 'a', 100)).toString()).toBe('x'.repeat(100));
  });

  it('refuse a file over the limit', async () => {
    await writeFile(join(directory, 'a'), 'x'.repeat(101));
    await expectRefused('TRUST_SIZE');
  });

  it.each([
    { name: 'a symbolic link', plant: (path: string) => symlink('/etc/passwd', path) },
    { name: 'a directory', plant: (path: string) => mkdir(path) },
    { name: 'a FIFO that nobody writes', plant: (path: string) => execFileSync('mkfifo', [path]) },
    { name: 'nothing', plant: () => undefined },
  ])('refuse $name in place of the file, without waiting [F053] [F054]', async ({ plant }) => {
    await plant(join(directory, 'a'));
    await expectRefused('TRUST_SPOOL');
  });

  it('refuse a hard link, which may be to what its maker cannot read [F054]', async () => {
    await writeFile(join(work, 'secret'), 'x');
    await link(join(work, 'secret'), join(directory, 'a'));
    await expectRefused('TRUST_SPOOL');
  });

  it.runIf(process.getuid?.() === 0)('refuse a device, and a file or directory of another user [F054]', async () => {
    execFileSync('mknod', [join(directory, 'a'), 'c', '1', '5']);
    await expectRefused('TRUST_SPOOL');
    await rm(join(directory, 'a'));
    await writeFile(join(directory, 'a'), 'x');
    await chown(join(directory, 'a'), 12345, 12345);
    await expectRefused('TRUST_SPOOL');
    await chown(join(directory, 'a'), 0, 0);
    await expect(readSpool(directory, 'a', 100, 12345)).rejects.toMatchObject({ code: 'TRUST_SPOOL' });
  });

  it('refuse a directory that others may write, or that is a link [F056]', async () => {
    await writeFile(join(directory, 'a'), 'x');
    await chmod(directory, 0o777);
    await expectRefused('TRUST_SPOOL');
    await chmod(directory, 0o755);
    await rename(directory, join(work, 'real'));
    await symlink('real', directory);
    await expectRefused('TRUST_SPOOL');
  });

  it.each(['', '.', '..', '../spool/a', 'b/a', 'a\0'])('refuse the name %j', async (name) => {
    await writeFile(join(directory, 'a'), 'x');
    await expectRefused('TRUST_SPOOL', name);
  });
});
