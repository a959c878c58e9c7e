import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyDetached } from '../../../src/trust/archive.ts';
import {
  CODE_OF_ROW,
  depsIn,
  expectations,
  certificates,
  fixture,
  fixtures,
  newKey,
  realGpg,
  scratch,
  signed,
} from './support.ts';

const trusted = await certificates('all-trusted-for-test.gpg');
const rows = await expectations();

async function verify(path: string, armoured: Uint8Array): Promise<string> {
  await using directory = await scratch();
  await using file = await open(path);
  const { size } = await file.stat();
  return await verifyDetached({ descriptor: file.fd, size }, armoured, trusted, depsIn(directory.path));
}

describe('verifyDetached', () => {
  it.each(rows.filter((row) => row.expect === 'accept'))('accepts $file over a file: $note [F040]', async (row) => {
    const signer = await verify(join(fixtures, row.document ?? 'manifest.json'), await fixture(`sigs/${row.file}`));
    expect(trusted.map((key) => key.fingerprint)).toContain(signer);
  });

  it.each(rows.filter((row) => row.expect === 'reject'))(
    'refuses $file over a file: $note [F039] [P40]',
    async (row) => {
      const verified = verify(join(fixtures, row.document ?? 'manifest.json'), await fixture(`sigs/${row.file}`));
      await expect(verified).rejects.toMatchObject({ code: CODE_OF_ROW[row.file] });
    },
  );

  it('accepts what a real gpg signed, wherever the descriptor stands in the file [F040] [S3.46] [S3.50]', async () => {
    await using directory = await scratch();
    await using gpg = await realGpg(directory.path);
    const key = await newKey(gpg, 'publisher');
    const path = join(directory.path, 'archive.tar.gz');
    await writeFile(path, Buffer.alloc(3_000_000, 'archive'));
    const asc = await signed(gpg, 'publisher', path);
    await using file = await open(path);
    await readFile(file);
    const archive = { descriptor: file.fd, size: 3_000_000 };
    const deps = depsIn(directory.path, Date.now());
    expect(await verifyDetached(archive, asc, [key], deps)).toBe(key.fingerprint);
    await writeFile(path, 'X', { flag: 'r+' });
    await expect(verifyDetached(archive, asc, [key], deps)).rejects.toMatchObject({ code: 'TRUST_BAD_SIGNATURE' });
  });

  it('never accepts an archive without a key [F042]', async () => {
    await using directory = await scratch();
    await using file = await open(join(fixtures, 'manifest.json'));
    const archive = { descriptor: file.fd, size: 0 };
    const asc = await fixture('sigs/00-good-ed25519.asc');
    const verified = verifyDetached(archive, asc, [], depsIn(directory.path));
    await expect(verified).rejects.toMatchObject({ code: 'TRUST_NO_KEYS' });
  });

  it('says which check of the archive’s signature failed [F041]', async () => {
    const verified = verify(join(fixtures, 'manifest-tampered.json'), await fixture('sigs/00-good-ed25519.asc'));
    await expect(verified).rejects.toThrow(/the archive is signed by 0 .*\(bad-signature\): gpgv says/);
  });
});
