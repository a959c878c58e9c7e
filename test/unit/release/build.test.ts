import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { durableFiles } from '../../../src/host/files.ts';
import { parseVersion } from '../../../src/release.ts';
import type { Version } from '../../../src/release.ts';
import { FORMATS } from '../../../src/release/compress.ts';
import { buildRelease, surveyRelease } from '../../../src/release/build.ts';
import type { BuildOptions, Built } from '../../../src/release/build.ts';
import { readDescription } from '../../../src/release/description.ts';

const files = durableFiles(() => Promise.reject(new Error('nothing here starts a program')));
const version = parseVersion('1.2.3') as Version;
let root: string;
let tree: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'release-build-'));
  tree = join(root, 'tree');
  await mkdir(tree);
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

function build(more: Partial<BuildOptions> = {}): Promise<Built> {
  return buildRelease({ directory: tree, out: join(root, 'out'), name: 'demo', version, level: 1, ...more }, files);
}

async function put(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(join(tree, path, '..'), { recursive: true });
  await writeFile(join(tree, path), content);
  await chmod(join(tree, path), mode);
}

async function ordinaryTree(): Promise<void> {
  await put('bin/demo', '#!/bin/sh\necho 1.2.3\n', 0o750);
  await put('lib/libx.so.1.2', 'x'.repeat(3000), 0o600);
  await symlink('libx.so.1.2', join(tree, 'lib/libx.so.1'));
  await symlink('libx.so.1', join(tree, 'lib/libx.so'));
  await put(`${'long/'.repeat(40)}${'n'.repeat(120)}`, 'deep');
  await put('übung/große Datei', 'é');
  await put('empty/nothing', '');
}

function tar(args: readonly string[]): string {
  return execFileSync('tar', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' } });
}

describe('buildRelease', () => {
  it.each(FORMATS)('makes a .%s that GNU tar lists and unpacks to the same tree', async (format) => {
    await ordinaryTree();
    const { archive } = await build({ format });
    const unpacked = join(root, 'unpacked');
    await mkdir(unpacked);
    expect(tar(['-xvf', archive, '-C', unpacked])).toContain('übung/große Datei');
    execFileSync('diff', ['--no-dereference', '-r', tree, unpacked]);
  });

  it('says the same of an archive as GNU tar and sha256sum do', async () => {
    await ordinaryTree();
    const { archive, descriptionFile, description } = await build({ epoch: 2, rollback: 'restore-data', notes: 'n' });
    const rows = tar(['--numeric-owner', '-tvf', archive]).trimEnd().split('\n');
    const sizes = rows.filter((row) => row.startsWith('-')).map((row) => Number(row.split(/\s+/)[2]));
    expect(description.entries).toBe(rows.length);
    expect(description.unpacked_size).toBe(sizes.reduce((a, b) => a + b, 0));
    const bytes = await readFile(archive);
    expect(description.size).toBe(bytes.length);
    expect(description.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(await readDescription(descriptionFile)).toEqual(description);
  });

  it('gives every entry owner 0:0, the asked time and a mode of 0755 or 0644', async () => {
    await ordinaryTree();
    const { archive } = await build({ mtime: 1_700_000_000 });
    const rows = tar(['--numeric-owner', '-tvf', archive]).trimEnd().split('\n');
    for (const row of rows) {
      expect(row).toMatch(/^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--|lrwxrwxrwx) 0\/0 +\d+ 2023-11-14 22:13 /);
    }
    expect(rows.find((row) => row.endsWith(' bin/demo'))).toMatch(/^-rwxr-xr-x/);
    expect(rows.find((row) => row.endsWith(' lib/libx.so.1.2'))).toMatch(/^-rw-r--r--/);
  });

  it.each(FORMATS)(
    'makes the same .%s under another umask, other times and another order of creation',
    async (format) => {
      await put('a', '1');
      await put('b/c', '2', 0o755);
      await put('a-', '3');
      const first = await build({ format });
      await rm(tree, { recursive: true });
      await mkdir(tree, { mode: 0o700 });
      await put('b/c', '2', 0o711);
      await put('a-', '3', 0o600);
      await put('a', '1', 0o664);
      const umask = process.umask(0o077);
      const second = await build({ format, out: join(root, 'again') }).finally(() => process.umask(umask));
      expect(Buffer.compare(await readFile(first.archive), await readFile(second.archive))).toBe(0);
    },
  );

  it('packs names in the order of their bytes, whatever the language of the host', async () => {
    for (const name of ['é', 'b/c', 'a-', 'Q', 'a/x', '_', 'Z']) await put(name, 'x');
    const { archive } = await build();
    const names = tar(['-tf', archive]).trimEnd().split('\n');
    expect(names).toEqual(['Q', 'Z', '_', 'a/', 'a/x', 'a-', 'b/', 'b/c', 'é']);
  });

  it('ends with the cause and leaves nothing behind when the output cannot be written', async () => {
    await put('large', randomBytes(4 * 1024 * 1024));
    const script = `
      import { run } from './src/host/run.ts';
      import { durableFiles } from './src/host/files.ts';
      import { buildRelease } from './src/release/build.ts';
      const [directory, out] = process.argv.slice(1);
      const options = { directory, out, name: 'demo', version: '1.0.0', level: 1 };
      await buildRelease(options, durableFiles(run)).catch((error) => console.log(error.code, error.message));`;
    // Node ignores SIGXFSZ, so that a file over the limit is an ordinary EFBIG.
    const limited = ['-c', 'ulimit -f 1000; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script];
    const said = execFileSync('sh', [...limited, tree, join(root, 'out')], { encoding: 'utf8' });
    expect(said).toMatch(/^DISK_IO .*EFBIG/);
    expect(await readdir(join(root, 'out'))).toEqual([]);
  });

  it('writes a file with several hard links as a file of its own each time', async () => {
    await put('one', 'same');
    await link(join(tree, 'one'), join(tree, 'two'));
    const { archive, description } = await build();
    expect(tar(['-tvf', archive])).not.toContain('link to');
    expect(description.unpacked_size).toBe(8);
  });

  it('keeps the size of a file beyond 8 GiB in a pax record that GNU tar reads', async () => {
    await put('disk', '');
    await truncate(join(tree, 'disk'), 8 * 1024 ** 3);
    const { tarHeader } = await import('../../../src/release/tar.ts');
    const size = 8 * 1024 ** 3 + 5;
    const header = join(root, 'header.tar');
    await writeFile(header, tarHeader({ type: 'file', path: 'disk', size, mode: 0o644 }, 0));
    const listed = execFileSync('sh', ['-c', 'tar -tvf "$1" 2>/dev/null || true', 'sh', header], { encoding: 'utf8' });
    expect(listed).toContain(` ${size} `);
  });

  it('lists every name that a file system can hold as it is, whatever its length', async () => {
    const name = fc.stringMatching(/^[a-z0-9é ._-]{1,80}$/).filter((text) => text !== '.' && text !== '..');
    const paths = fc.array(name, { minLength: 1, maxLength: 9 }).map((parts) => parts.join('/'));
    await fc.assert(
      fc.asyncProperty(paths, async (path) => {
        await rm(tree, { recursive: true });
        await mkdir(tree);
        await put(path, 'x');
        const { archive } = await build({ format: 'tar' });
        const last = tar(['--quoting-style=literal', '-tf', archive]).split('\n').at(-2);
        expect(last).toBe(path);
      }),
      { numRuns: 25 },
    );
  });

  it('surveys without writing and counts the same', async () => {
    await ordinaryTree();
    const options = { directory: tree, out: join(root, 'out'), name: 'demo', version };
    const counts = await surveyRelease(options);
    expect(await readdir(root)).toEqual(['tree']);
    const { description } = await build();
    expect(counts).toEqual({ entries: description.entries, unpackedSize: description.unpacked_size });
  });

  it('takes the architecture and the libc from the program itself', async () => {
    await mkdir(join(tree, 'bin'));
    await copyFile(process.execPath, join(tree, 'bin/demo'));
    const { description } = await build({ binary: 'bin/demo' });
    expect(description).toMatchObject({ arch: process.arch === 'arm64' ? 'arm64' : 'amd64', libc: 'gnu' });
    const other = process.arch === 'arm64' ? 'amd64' : 'arm64';
    await expect(build({ binary: 'bin/demo', arch: other })).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
  });
});

describe('buildRelease refuses, naming the path,', () => {
  const rows: readonly { name: string; path: string; make: () => unknown }[] = [
    { name: 'an absolute link', path: 'evil', make: () => symlink('/etc/passwd', join(tree, 'evil')) },
    { name: 'a link out of the tree', path: 'evil', make: () => symlink('../../etc', join(tree, 'evil')) },
    { name: 'a link that leads nowhere', path: 'evil', make: () => symlink('gone', join(tree, 'evil')) },
    { name: 'a link to itself', path: 'evil', make: () => symlink('evil', join(tree, 'evil')) },
    {
      name: 'a link that leaves the tree through another link',
      path: 'par',
      make: async () => {
        await symlink('.', join(tree, 'cur'));
        await symlink('cur/..', join(tree, 'par'));
      },
    },
    { name: 'a setuid file', path: 'bin/su', make: () => put('bin/su', 'x', 0o4755) },
    { name: 'a setgid file', path: 'bin/sg', make: () => put('bin/sg', 'x', 0o2755) },
    { name: 'a named pipe', path: 'pipe', make: () => execFileSync('mkfifo', [join(tree, 'pipe')]) },
    { name: 'a name with a backslash', path: 'a\\b', make: () => put('a\\b', 'x') },
    { name: 'a name with a line break', path: 'a\nb', make: () => put('a\nb', 'x') },
    { name: 'a drive letter', path: 'C:x', make: () => put('C:x', 'x') },
    {
      name: 'two names that differ in case alone',
      path: 'Readme',
      make: async () => {
        await put('README', 'x');
        await put('Readme', 'x');
      },
    },
    {
      name: 'two names that differ in Unicode form alone',
      path: '\u00e9',
      make: async () => {
        await put('\u00e9', 'x');
        await put('e\u0301', 'x');
      },
    },
    { name: 'a name that is not UTF-8', path: 'ÿ', make: () => writeFile(Buffer.from(`${tree}/\xff`, 'latin1'), 'x') },
    { name: 'a tree too deep', path: 'd/d', make: () => put(`${'d/'.repeat(70)}x`, 'x') },
  ];

  it.each(rows)('$name', async ({ path, make }) => {
    await make();
    const failed = build();
    await expect(failed).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    await expect(failed).rejects.toThrow(JSON.stringify(path).slice(1, -1));
    expect(await readdir(join(root, 'out'))).toEqual([]);
  });

  it('a socket', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(tree, 'sock'), resolve));
    await expect(build()).rejects.toThrow('"sock": is a socket');
    await new Promise((resolve) => server.close(resolve));
  });

  it('a program that is missing or not executable', async () => {
    await put('bin/demo', 'x');
    await expect(build({ binary: 'bin/other' })).rejects.toThrow('"bin/other"');
    await expect(build({ binary: 'bin/demo' })).rejects.toThrow('not executable');
  });

  it('an empty directory, an output inside the tree, and a name that is a path', async () => {
    await expect(build()).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    await put('a', 'x');
    await expect(build({ out: join(tree, 'out') })).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    await expect(build({ name: '../demo' })).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    expect(await readdir(tree)).toEqual(['a']);
  });
});
