import fc from 'fast-check';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkMayRun, findMount } from '../../../src/activation/mounts.ts';

const TEXT = `22 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
37 22 252:3 / /opt/demo rw,noexec,relatime shared:10 master:2 - ext4 /dev/vdc1 rw
370 22 252:3 / /opt/two\\040words rw - ext4 /dev/vdc1 rw
`;

describe('#findMount', () => {
  it.each([
    { id: '22', mount: { point: '/', options: ['rw', 'relatime'] } },
    { id: '37', mount: { point: '/opt/demo', options: ['rw', 'noexec', 'relatime'] } },
    { id: '370', mount: { point: '/opt/two words', options: ['rw'] } },
    { id: '3', mount: undefined },
    { id: '', mount: undefined },
  ])('finds the mount by its whole id: $id', ({ id, mount }) => {
    expect(findMount(id, TEXT)).toEqual(mount);
  });

  it('reads the point as it is called, whatever the kernel had to escape', () => {
    const escape = (name: string) =>
      name.replaceAll(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (name) => {
        const text = `1 1 0:1 / / rw - ext4 x rw\n2 1 0:2 / /${escape(name)} rw,noexec - ext4 x rw\n`;
        expect(findMount('2', text)).toEqual({ point: `/${name}`, options: ['rw', 'noexec'] });
      }),
    );
  });
});

describe('#checkMayRun', () => {
  it('lets a program be where this host runs programs', async () => {
    await expect(checkMayRun(process.execPath)).resolves.toBeUndefined();
  });

  it('names the key that says where the program should be when it is not there', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mounts-'));
    await writeFile(join(directory, 'other'), '');
    await expect(checkMayRun(join(directory, 'demod'))).rejects.toMatchObject({
      code: 'HOST_STATE',
      remedy: expect.stringContaining('`binary`') as string,
    });
    await rm(directory, { recursive: true });
  });
});
