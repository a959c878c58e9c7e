import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkOwnDirectory } from '../../../src/activation/own-directory.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'own-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('a directory of our own', () => {
  it.each([0o700, 0o755])('may have the mode %o', async (mode) => {
    await chmod(directory, mode);
    await expect(checkOwnDirectory(directory)).resolves.toBeUndefined();
  });

  it.each([0o775, 0o757, 0o1777])('is refused with the mode %o, by which others can write it [F117]', async (mode) => {
    await chmod(directory, mode);
    await expect(checkOwnDirectory(directory)).rejects.toMatchObject({ code: 'HOST_STATE' });
  });

  it.runIf(process.geteuid?.() === 0)('is refused when another user owns it [F117]', async () => {
    await chown(directory, 65534, 65534);
    await expect(checkOwnDirectory(directory)).rejects.toMatchObject({ code: 'HOST_STATE' });
  });

  it('is refused when it is a file, and is an error of the disk when it is not there', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(checkOwnDirectory(file)).rejects.toMatchObject({ code: 'HOST_STATE' });
    await expect(checkOwnDirectory(join(directory, 'gone'))).rejects.toMatchObject({ code: 'DISK_IO' });
  });
});
