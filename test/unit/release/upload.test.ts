import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../src/host/run.ts';
import { runUpload, runUploads, S3_TOOLS } from '../../../src/release/upload.ts';
import type { UploadTools } from '../../../src/release/upload.ts';

let root: string;
let site: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'upload-'));
  site = join(root, 'site');
  await mkdir(join(site, 'releases/1.0.0/abc'), { recursive: true });
  await mkdir(join(site, 'keys'));
  await writeFile(join(site, 'releases/1.0.0/abc/demo.tar'), 'archive');
  await writeFile(join(site, 'keys/1.json'), 'keys');
  await writeFile(join(site, 'releases/1.0.0/abc/demo.tar.0123.tmp'), 'half');
  await writeFile(join(site, 'manifest.json'), 'manifest');
});

afterEach(() => rm(root, { recursive: true }));

function tools(path = '/usr/bin:/bin'): UploadTools {
  return { run, env: { PATH: path, LOG: join(root, 'log') } };
}

/** A program of that name that writes down how it was called. */
async function stub(
  name: string,
  script = 'for each in "$@"; do printf "%s|" "$each"; done >> "$LOG"; echo >> "$LOG"',
): Promise<string> {
  const directory = join(root, 'bin');
  await mkdir(directory, { recursive: true });
  const program = join(directory, name);
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  await symlink('/usr/bin/printf', join(directory, 'printf')).catch(() => undefined);
  return directory;
}

describe('runUpload by rsync', () => {
  it('copies everything, readable by all, and no temporary file', async () => {
    await chmod(join(site, 'keys/1.json'), 0o600);
    const target = join(root, 'www');
    await mkdir(target);
    await runUpload(site, { kind: 'rsync', target: `${target}/` }, tools());
    expect(await readFile(join(target, 'manifest.json'), 'utf8')).toBe('manifest');
    expect(await readdir(join(target, 'releases/1.0.0/abc'))).toEqual(['demo.tar']);
    expect((await stat(join(target, 'keys/1.json'))).mode & 0o777).toBe(0o644);
  });

  it('leaves the manifest on the server as it was when the files that it names do not arrive', async () => {
    const target = join(root, 'www');
    await mkdir(target);
    await writeFile(join(target, 'manifest.json'), 'before');
    const path = await stub('rsync', 'case "$1" in --recursive) exit 23;; *) exec /usr/bin/rsync "$@";; esac');
    const upload = runUpload(site, { kind: 'rsync', target }, tools(`${path}:/bin`));
    await expect(upload).rejects.toMatchObject({ code: 'RELEASE_UPLOAD' });
    expect(await readFile(join(target, 'manifest.json'), 'utf8')).toBe('before');
  });

  it('replaces a manifest of the same length and the same second', async () => {
    const target = join(root, 'www');
    await mkdir(target);
    const second = new Date('2026-11-20T12:00:00Z');
    for (const content of ['serial 1', 'serial 2']) {
      await writeFile(join(site, 'manifest.json'), content);
      await utimes(join(site, 'manifest.json'), second, second);
      await runUpload(site, { kind: 'rsync', target }, tools());
    }
    expect(await readFile(join(target, 'manifest.json'), 'utf8')).toBe('serial 2');
  });

  it('never removes what the server has: older archives and key sets', async () => {
    const target = join(root, 'www');
    await mkdir(join(target, 'keys'), { recursive: true });
    await writeFile(join(target, 'keys/0.json'), 'older');
    await runUpload(site, { kind: 'rsync', target }, tools());
    expect(await readFile(join(target, 'keys/0.json'), 'utf8')).toBe('older');
  });
});

describe('runUpload to S3', () => {
  it.each(S3_TOOLS)(
    'by %s uploads the manifest last, to be asked for anew, and the rest to be kept for ever',
    async (tool) => {
      const path = await stub(tool);
      await runUpload(site, { kind: 's3', target: 's3://bucket/demo/', tool }, tools(`${path}:/bin`));
      const [rest = '', manifest = '', ...more] = (await readFile(join(root, 'log'), 'utf8')).trim().split('\n');
      expect(more).toEqual([]);
      expect(rest).toMatch(/immutable/);
      expect(rest).toMatch(/exclude=?\|?[^|]*manifest/);
      expect(manifest).toMatch(/no-cache/);
      expect(manifest).toMatch(/bucket\/demo\/manifest\.json/);
      expect(`${rest}${manifest}`).not.toMatch(/\|--delete/);
    },
  );

  it('takes the first tool that is installed, and says when there is none', async () => {
    const path = await stub('rclone');
    await runUpload(site, { kind: 's3', target: 's3://bucket', tool: undefined }, tools(path));
    expect(await readFile(join(root, 'log'), 'utf8')).toMatch(/^--version\|\ncopy\|/);
    const none = runUpload(site, { kind: 's3', target: 's3://bucket', tool: undefined }, tools(join(root, 'none')));
    await expect(none).rejects.toMatchObject({
      code: 'RELEASE_UPLOAD',
      message: expect.stringContaining('aws') as string,
    });
  });

  it('does not begin with the manifest when the rest failed, and says what the tool said', async () => {
    const path = await stub('aws', 'echo "$2" >> "$LOG"; echo "AccessDenied for bucket" >&2; exit 1');
    const upload = runUpload(site, { kind: 's3', target: 's3://bucket', tool: 'aws' }, tools(path));
    await expect(upload).rejects.toThrow('AccessDenied for bucket');
    expect(await readFile(join(root, 'log'), 'utf8')).toBe('sync\n');
  });
});

describe('runUploads', () => {
  const nowhere = { kind: 'rsync', target: '/dev/null/nowhere' } as const;

  it('goes on to the next server when one cannot be reached, and says which', async () => {
    const target = join(root, 'www');
    await mkdir(target);
    const uploads = runUploads(site, [nowhere, { kind: 'rsync', target }], tools());
    await expect(uploads).rejects.toMatchObject({
      code: 'RELEASE_UPLOAD',
      remedy: expect.stringMatching(/upload \S+ --rsync \/dev\/null\/nowhere$/) as string,
    });
    expect(await readFile(join(target, 'manifest.json'), 'utf8')).toBe('manifest');
  });

  it('says of each that failed what to type', async () => {
    const path = await stub('aws', 'echo AccessDenied >&2; exit 1');
    const s3 = { kind: 's3', target: 's3://bucket', tool: 'aws' } as const;
    await expect(runUploads(site, [nowhere, s3], tools(`${path}:/usr/bin:/bin`))).rejects.toMatchObject({
      code: 'RELEASE_UPLOAD',
      message: expect.stringMatching(/^rsync failed: .*; aws failed: AccessDenied$/s) as string,
      remedy: expect.stringMatching(/--rsync \/dev\/null\/nowhere .*--s3 s3:\/\/bucket$/) as string,
    });
  });
});
