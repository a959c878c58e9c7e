import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { moveIn } from '../../../src/backup/moves.ts';
import { numbered, openDirectory, rawOf } from '../../../src/backup/paths.ts';

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'paths-')));
  await mkdir(`${root}/data/sub`, { recursive: true });
  await mkdir(`${root}/elsewhere/sub`, { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

/** What a process of the node's user might do while root works in its directories. */
async function swap(): Promise<void> {
  await rename(`${root}/data`, `${root}/was`);
  await symlink('elsewhere', `${root}/data`);
}

describe('a directory above that became a link', () => {
  it('is not followed, and what is open stays what it was', async () => {
    await using open = await openDirectory(rawOf(`${root}/data/sub`));
    await swap();
    await writeFile(numbered(open, 'file'), 'x');
    await expect(openDirectory(rawOf(`${root}/data/sub`))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(openDirectory(rawOf(`${root}/data`))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await using was = await openDirectory(rawOf(`${root}/was/sub`));
    expect((await was.stat()).ino).toBe((await open.stat()).ino);
  });

  it('leads no rename of a restore elsewhere', async () => {
    await writeFile(`${root}/file`, 'x');
    await swap();
    const move = { from: rawOf(`${root}/file`), to: rawOf(`${root}/data/sub/file`) };
    await expect(moveIn(move)).rejects.toMatchObject({ code: 'BACKUP_RESTORE' });
  });
});
