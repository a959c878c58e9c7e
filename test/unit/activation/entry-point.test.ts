import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkEntryPoint } from '../../../src/activation/entry-point.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'entry-'));
  await mkdir(join(directory, 'bin'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function program(name: string, head: Buffer | string, mode = 0o755): Promise<void> {
  await writeFile(join(directory, name), head, { mode });
}

function elf(machine: number, endian: 1 | 2 = 1): Buffer {
  const head = Buffer.alloc(64);
  head.write('\x7fELF', 0, 'latin1');
  head.writeUInt8(endian, 5);
  if (endian === 1) head.writeUInt16LE(machine, 18);
  else head.writeUInt16BE(machine, 18);
  return head;
}

const refused = { code: 'ARTIFACT_ENTRY_POINT' };

describe('checkEntryPoint', () => {
  it('accepts the real binary of this host, a script, and a link that stays inside', async () => {
    await symlink(process.execPath, join(directory, 'outside'));
    await program('bin/script', '#!/bin/sh\n');
    await symlink('bin/script', join(directory, 'node'));
    await expect(checkEntryPoint(join(process.execPath, '../..'), 'bin/node')).resolves.toBeUndefined();
    await expect(checkEntryPoint(directory, 'bin/script')).resolves.toBeUndefined();
    await expect(checkEntryPoint(directory, 'node')).resolves.toBeUndefined();
  });

  it('refuses a binary that is missing, not executable, a directory, or outside [F052]', async () => {
    await program('bin/data', 'x', 0o644);
    await symlink(process.execPath, join(directory, 'outside'));
    for (const binary of ['bin/none', 'bin/data/x', 'bin/data', 'bin', 'outside', '../../../../../bin/sh']) {
      await expect(checkEntryPoint(directory, binary)).rejects.toMatchObject(refused);
    }
  });

  it.each([
    { arch: 'x64', fits: 62, not: 183 },
    { arch: 'arm64', fits: 183, not: 62 },
  ])('tells whether an ELF is for $arch [F052]', async ({ arch, fits, not }) => {
    await program('fits', elf(fits));
    await program('not', elf(not));
    await expect(checkEntryPoint(directory, 'fits', arch)).resolves.toBeUndefined();
    await expect(checkEntryPoint(directory, 'not', arch)).rejects.toMatchObject(refused);
  });
});
