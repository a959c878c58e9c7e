import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { exportKey, setOf, signedSet, signText, type MadeKey } from '../unit/trust/key-chain.ts';
import type { Gpg } from '../unit/trust/support.ts';

const SITE = '/srv/releases';
const PUBLISHER = 'publisher@example.org';
const SECOND = 'second@example.org';

/** The publisher's own gpg, as the tests of key sets call it. */
function gpgOf({ publisher }: Lab): Gpg {
  const execute = promisify(execFile);
  const gpg = async (...args: readonly string[]): Promise<Buffer> => {
    const fixed = ['--batch', '--yes', '--pinentry-mode', 'loopback', '--passphrase', ''];
    return (await execute('gpg', [...fixed, ...args], { env: { ...publisher.gpg.env }, encoding: 'buffer' })).stdout;
  };
  return Object.assign(gpg, { home: publisher.root, [Symbol.asyncDispose]: () => Promise.resolve() });
}

/** What the lab has published, signed anew by these. */
async function signManifest(lab: Lab, gpg: Gpg, signers: readonly MadeKey[]): Promise<void> {
  const file = join(lab.publisher.site, 'manifest.json');
  const { manifest } = JSON.parse(await readFile(file, 'utf8')) as { manifest: string };
  await lab.host.push(await signText(gpg, manifest, signers, new Date().toISOString()), `${SITE}/manifest.json`, 0o644);
}

it('a publisher that rotates to two of two keys is followed, and one signature is not enough from then on [F041] [F044] [S3.45]', async () => {
  await using lab = await makeLab();
  await lab.configure({ soak: '1s' });
  await lab.publish('1.0.0');
  const gpg = gpgOf(lab);
  await gpg('--quick-generate-key', SECOND, 'ed25519', 'sign', 'never');
  const both = [await exportKey(gpg, PUBLISHER), await exportKey(gpg, SECOND)];
  const first = await lab.updater('upgrade');
  expect(first.status, first.stderr).toBe(0);
  // A publisher without key sets is the common case: nothing is said about the file that is not there.
  expect(await lab.host.journal('-t', 'node-updater', '-o', 'cat')).not.toMatch(/keys\/2|404/);

  const set = setOf({ number: 2, keys: both, threshold: 2, at: new Date(Date.now() - 1000).toISOString() });
  await lab.host.sh(`mkdir -p ${SITE}/keys`);
  await lab.host.push(await signedSet(gpg, set, both), `${SITE}/keys/2.json`, 0o644);
  await lab.publish('2.0.0');
  await signManifest(lab, gpg, both);
  const second = await lab.updater('upgrade');
  expect(second.status, second.stderr).toBe(0);
  expect(await lab.facts()).toMatchObject({ current: '2.0.0', running: '2.0.0' });
  const journal = await lab.host.journal('-o', 'cat', 'MESSAGE_ID=6d3a1c5e8f0b4a7d9e21c4b7a5f80c08');
  expect(journal.trim()).toBe('Key set 2 of demo follows and counts from now on: 2 of 2 keys.');

  // Whoever has stolen one key signs by itself.
  await lab.publish('3.0.0');
  const third = await lab.updater('upgrade');
  expect(third.status).toBe(5);
  expect(third.stderr).toContain('1 of the 2 trusted keys');
  expect(await lab.facts()).toMatchObject({ current: '2.0.0', running: '2.0.0' });
  const told = await lab.host.run(['node-updater', 'keys', 'list'], { user: 'nobody' });
  expect(told.stdout, told.stderr).toContain('demo believes what 2 of 2 keys sign: key set 2, walked to from keys.d.');
  expect((await lab.updater('keys', 'verify')).status).toBe(0);
});

it('keys are added and removed by fingerprint, as root alone, and never below the threshold [F042]', async () => {
  await using lab = await makeLab();
  const gpg = gpgOf(lab);
  await gpg('--quick-generate-key', SECOND, 'ed25519', 'sign', 'never');
  const { armoured, certificate } = await exportKey(gpg, SECOND);
  const file = join(lab.publisher.root, 'second.asc');
  await writeFile(file, armoured);
  await lab.host.push(file, '/home/second.asc', 0o644);
  const add = ['keys', 'add', '/home/second.asc', '--fingerprint', certificate.fingerprint];
  const nobody = await lab.host.run(['node-updater', ...add], { user: 'nobody' });
  expect(nobody.status).toBe(77);
  const old = lab.publisher.key.fingerprint;
  expect((await lab.updater('keys', 'remove', old)).status).toBe(5);
  expect((await lab.updater(...add)).stdout).toContain('1 of 1 keys → 1 of 2 keys');
  expect((await lab.updater('keys', 'remove', old)).status).toBe(0);
  expect(await lab.host.sh('ls /etc/node-updater/keys.d')).toBe(`${certificate.fingerprint}.asc`);
  expect((await lab.updater('config', '--check')).status).toBe(0);
  await lab.publish('1.0.0');
  expect((await lab.updater('upgrade')).status).toBe(5);
});
