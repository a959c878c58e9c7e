import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseFingerprint } from '../../../src/release.ts';
import type { Fingerprint } from '../../../src/release.ts';
import { loadKeys } from '../../../src/trust/keys.ts';
import { certificates, fixture, fixtures, newKey, realGpg, scratch } from './support.ts';

const A = parseFingerprint('9B32 D2ED 6A90 6442 B656 3607 F270 2EB1 F9FD 24EC') as Fingerprint;
const B = parseFingerprint('F906F817219BC373014DD9F651308B9A89B13C72') as Fingerprint;
const armouredA = await fixture('keys/release-a.asc');
const armouredB = await fixture('keys/release-b.asc');
const allKeys = await fixture('keys/all-trusted-for-test.gpg');
const binaryA = await fixture('keys/release-a.gpg');

describe('loadKeys', () => {
  it('reads the same key from an armoured and from a binary file', async () => {
    await using directory = await scratch();
    const files = [join(directory.path, 'a.asc'), join(directory.path, 'a.gpg')] as const;
    await writeFile(files[0], armouredA, { mode: 0o644 });
    await writeFile(files[1], binaryA, { mode: 0o644 });
    const [fromArmour] = await loadKeys([{ file: files[0], fingerprint: A }]);
    const [fromBinary] = await loadKeys([{ file: files[1], fingerprint: A }]);
    expect(fromArmour).toEqual(fromBinary);
    expect(fromArmour?.fingerprint).toBe(A);
  });

  it.each([
    ['a binary file of many keys', allKeys],
    ['two armoured blocks one after the other', Buffer.concat([armouredA, armouredB])],
  ])('selects one key by its fingerprint from %s', async (_, bytes) => {
    await using directory = await scratch();
    const file = join(directory.path, 'many');
    await writeFile(file, bytes, { mode: 0o644 });
    const keys = await loadKeys([{ file, fingerprint: B }]);
    expect(keys.map((key) => key.fingerprint)).toEqual([B]);
    const [onlyA] = await certificates('release-a.gpg');
    expect(keys[0]?.bytes.includes(onlyA?.bytes.subarray(0, 40) ?? '')).toBe(false);
  });

  it('computes the fingerprint that gpg shows, also for a key with subkeys', async () => {
    await using directory = await scratch();
    await using gpg = await realGpg(directory.path);
    await gpg('--quick-generate-key', 'full <full@example.org>', 'future-default', 'default', 'never');
    const certificate = await newKey(gpg, 'small <small@example.org>');
    const list = (await gpg('--with-colons', '--list-keys', 'small@example.org')).toString();
    expect(certificate.fingerprint).toBe(/^fpr:+([0-9A-F]+):/m.exec(list)?.[1]);
  });

  it('refuses to work without a key [F042]', async () => {
    await expect(loadKeys([])).rejects.toMatchObject({ code: 'TRUST_NO_KEYS' });
  });

  const damaged: readonly (readonly [string, (file: string) => unknown, RegExp])[] = [
    ['missing', () => undefined, /does not exist/],
    ['empty', (file) => writeFile(file, '', { mode: 0o644 }), /is empty/],
    ['cut in the middle', (file) => writeFile(file, binaryA.subarray(0, 100), { mode: 0o644 }), /truncated/],
    ['cut in its armour', (file) => writeFile(file, armouredA.subarray(0, 200), { mode: 0o644 }), /does not end/],
    ['text', (file) => writeFile(file, '<html>not found</html>', { mode: 0o644 }), /does not start/],
    ['a directory', (file) => mkdir(file), /not a regular file/],
    ['a FIFO', (file) => execFileSync('mkfifo', [file]), /not a regular file/],
    ['a symbolic link', (file) => symlink(join(fixtures, 'keys/release-a.asc'), file), /symbolic link/],
    ['too large', (file) => writeFile(file, Buffer.alloc(70_000, 0x99), { mode: 0o644 }), /larger than/],
    ['a signature', async (file) => writeFile(file, await fixture('sigs/00-good-ed25519.asc')), /does not start/],
    ['another key', async (file) => writeFile(file, await fixture('keys/attacker-same-uid.gpg')), /not the key/],
    ['the key twice', (file) => writeFile(file, Buffer.concat([binaryA, binaryA])), /more than once/],
  ];

  it.each(damaged)('refuses a key file that is %s, saying so [F042]', async (_, make, message) => {
    await using directory = await scratch();
    const file = join(directory.path, 'key');
    await make(file);
    const error: unknown = await loadKeys([{ file, fingerprint: A }]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'TRUST_KEY_FILE', message: expect.stringMatching(message) as string });
  });

  it.each([0o664, 0o646, 0o666])('refuses a key file of mode %o, which others can write [F042]', async (mode) => {
    await using directory = await scratch();
    const file = join(directory.path, 'key');
    await writeFile(file, armouredA);
    await chmod(file, mode);
    await expect(loadKeys([{ file, fingerprint: A }])).rejects.toMatchObject({ code: 'TRUST_KEY_FILE' });
  });

  it.runIf(process.geteuid?.() === 0)('refuses a key file that another user owns [F042]', async () => {
    await using directory = await scratch();
    const file = join(directory.path, 'key');
    await writeFile(file, armouredA, { mode: 0o644 });
    await chown(file, 12345, 0);
    await expect(loadKeys([{ file, fingerprint: A }])).rejects.toThrow(/owned by user 12345/);
  });

  it('refuses a secret key [F042]', async () => {
    await using directory = await scratch();
    await using gpg = await realGpg(directory.path);
    const { fingerprint } = await newKey(gpg, 'secret@example.org');
    const file = join(directory.path, 'key');
    await writeFile(file, await gpg('--export-secret-keys', 'secret@example.org'), { mode: 0o600 });
    await expect(loadKeys([{ file, fingerprint }])).rejects.toThrow(/secret key/);
  });
});
