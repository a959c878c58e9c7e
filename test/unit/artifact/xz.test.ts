import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { xzPieces, type XzProgram } from '../../../src/artifact/xz.ts';

let work: string;

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'xz-'));
});
afterEach(async () => {
  await rm(work, { recursive: true });
});

async function program(script: string, silence = 10_000): Promise<XzProgram> {
  const path = join(work, 'program');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return { program: path, silence };
}

async function read(bytes: Buffer, xz?: XzProgram): Promise<Buffer> {
  const path = join(work, 'archive');
  await writeFile(path, bytes);
  await using file = await open(path);
  const pieces: Buffer[] = [];
  for await (const piece of xzPieces(file, xz)) pieces.push(piece);
  return Buffer.concat(pieces);
}

function packed(...options: string[]): Buffer {
  return execFileSync('xz', ['-c', ...options], { input: 'content' });
}

describe('xzPieces', () => {
  it('gives what xz was given, whatever the environment says', async () => {
    const bytes = packed('-6');
    process.env['XZ_OPT'] = '--test';
    try {
      expect((await read(bytes)).toString()).toBe('content');
    } finally {
      delete process.env['XZ_OPT'];
    }
  });

  it('refuses what needs more memory than xz -9 does, and says so [F051]', async () => {
    const large = packed('--lzma2=dict=192MiB');
    await expect(read(large)).rejects.toMatchObject({
      code: 'ARTIFACT_UNSUPPORTED',
      remedy: expect.stringContaining('xz -9') as string,
    });
  });

  it.each([
    { name: 'ends with an error', script: 'echo half; echo broken >&2; exit 1', code: 'ARTIFACT_MALFORMED' },
    { name: 'ends with a warning', script: 'echo all; echo unsure >&2; exit 2', code: 'ARTIFACT_MALFORMED' },
    { name: 'is killed', script: 'echo half; kill -9 $$', code: 'HOST_TOOL' },
    { name: 'says nothing and stays', script: 'exec sleep 600', code: 'HOST_TOOL', silence: 200 },
    {
      name: 'leaves something behind that stays',
      script: 'sleep 600 & exec sleep 600',
      code: 'HOST_TOOL',
      silence: 200,
    },
    { name: 'falls silent in the middle', script: 'echo half; exec sleep 600', code: 'HOST_TOOL', silence: 200 },
  ])('gives no archive when the program $name', async ({ script, code, silence }) => {
    await expect(read(packed(), await program(script, silence))).rejects.toMatchObject({ code });
  });

  it('says HOST_TOOL when there is no such program', async () => {
    const none = { program: join(work, 'none'), silence: 10_000 };
    await expect(read(packed(), none)).rejects.toMatchObject({ code: 'HOST_TOOL', message: 'xz was not found' });
  });

  it('gives the program nothing but the open file and no environment of ours', async () => {
    const listing = await program('echo "$#"; env | cut -d= -f1 | sort | tr "\\n" " "; readlink /proc/self/fd/0');
    const said = (await read(packed(), listing)).toString();
    expect(said).toContain(join(work, 'archive'));
    expect(said.split('\n')[1]?.split(' ')).toEqual(expect.arrayContaining(['LC_ALL', 'PATH']));
    expect(said).not.toMatch(/HOME|XZ_|VITEST/);
  });
});
