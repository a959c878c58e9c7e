import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { signFile, signText } from '../../../src/release/gpg.ts';
import type { Gpg } from '../../../src/release/gpg.ts';
import { describeKeygen, keygen } from '../../../src/release/keygen.ts';
import type { Keygen, KeygenOptions } from '../../../src/release/keygen.ts';
import { envelopeText } from '../../../src/release/text.ts';
import { loadKeys } from '../../../src/trust/keys.ts';
import { verifyEnvelope } from '../../../src/trust/verify.ts';

const files = durableFiles(run);
const PATH = process.env['PATH'] ?? '/usr/bin:/bin';
let root: string;
const homes: string[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'keygen-'));
});

afterEach(async () => {
  for (const home of homes.splice(0)) await run(['gpgconf', '--homedir', home, '--kill', 'all'], { env: { PATH } });
  await rm(root, { recursive: true });
});

function gpgAt(home: string): Gpg {
  homes.push(home);
  return { run, env: { PATH, HOME: root, GNUPGHOME: home, LC_ALL: 'C' } };
}

function options(more: Partial<KeygenOptions> = {}): KeygenOptions {
  const places = { home: join(root, 'safe'), out: join(root, 'out') };
  const user = { userId: 'Alice <alice@example.org>', name: 'alice', subkeys: 1, expires: '2y' };
  return { ...places, ...user, protection: 'none', ...more };
}

function make(more: Partial<KeygenOptions> = {}): Promise<Keygen> {
  const all = options(more);
  return keygen(all, gpgAt(all.home), files);
}

async function importedInto(name: string, secret: string): Promise<Gpg> {
  const home = join(root, name);
  await mkdir(home, { mode: 0o700 });
  const gpg = gpgAt(home);
  expect((await run(['gpg', '--batch', '--import', secret], { env: gpg.env })).status).toBe(0);
  return gpg;
}

async function accepts(made: Keygen, gpg: Gpg, signer: string): Promise<void> {
  const text = 'what is signed';
  const envelope = Buffer.from(envelopeText(text, [(await signText(gpg, text, [signer])).armoured]));
  const keys = await loadKeys([{ file: made.publicKey, fingerprint: made.fingerprint }]);
  const scratch = join(root, 'scratch');
  await mkdir(scratch, { recursive: true });
  const { signers } = await verifyEnvelope(envelope, keys, 1, { run, gpgv: '/usr/bin/gpgv', scratch, now: Date.now() });
  expect(signers).toEqual([made.fingerprint]);
}

describe('keygen', () => {
  it('makes signing keys that sign on another machine, without the primary key, as hosts accept [S3.50]', async () => {
    const made = await make({ subkeys: 2 });
    expect(made.subkeys).toHaveLength(2);
    const machine = await importedInto('machine', made.signingKeys);
    const listed = (await run(['gpg', '--list-secret-keys', '--with-colons'], { env: machine.env })).stdout.toString();
    expect(listed).toMatch(/^sec:(?:[^:]*:){13}#:/m); // `#`: the secret primary key is not there
    await accepts(made, machine, made.fingerprint);
    for (const subkey of made.subkeys) await accepts(made, machine, `${subkey}!`);
  });

  it('gives the primary key no right but to certify, and the signing keys an end', async () => {
    const made = await make();
    const { stdout } = await run(['gpg', '--show-keys', '--with-colons', made.publicKey], {
      env: gpgAt(join(root, 'safe')).env,
    });
    const [primary = '', subkey = ''] = stdout
      .toString()
      .split('\n')
      .filter((line) => /^(pub|sub):/.test(line));
    const field = (line: string, at: number): string => line.split(':')[at] ?? '';
    expect(field(primary, 11)).toMatch(/^cSC?$|^c/);
    expect(field(primary, 6)).toBe('');
    expect(field(subkey, 11)).toBe('s');
    expect(Number(field(subkey, 6)) * 1000).toBeGreaterThan(Date.now() + 700 * 24 * 60 * 60 * 1000);
  });

  it('keeps secrets for their owner alone, and leaves a certificate that revokes the key', async () => {
    const made = await make();
    expect((await stat(made.signingKeys)).mode & 0o777).toBe(0o600);
    expect((await stat(join(root, 'safe'))).mode & 0o777).toBe(0o700);
    const armed = (await readFile(made.revocation, 'utf8')).replace(/^:(?=-----BEGIN)/m, '');
    const file = join(root, 'revoke.asc');
    await writeFile(file, armed);
    const gpg = gpgAt(join(root, 'safe'));
    await run(['gpg', '--batch', '--import', file], { env: gpg.env });
    const listed = await run(['gpg', '--list-keys', '--with-colons', made.fingerprint], { env: gpg.env });
    expect(listed.stdout.toString()).toMatch(/^pub:r:/m);
  });

  it('asks for the passphrase through gpg’s own agent: no key can be used without it', async () => {
    const home = join(root, 'safe');
    await mkdir(home, { mode: 0o700 });
    const asked = join(root, 'asked');
    const pinentry = join(root, 'pinentry');
    const answer =
      'echo "OK hello"; while read -r word rest; do case "$word" in GETPIN) echo asked >> "$ASKED"; echo "D four words in here"; echo OK;; BYE) echo OK; exit;; *) echo OK;; esac; done';
    await writeFile(pinentry, `#!/bin/sh\nASKED=${asked}\n${answer}\n`, { mode: 0o755 });
    await writeFile(join(home, 'gpg-agent.conf'), `pinentry-program ${pinentry}\n`);
    const made = await make({ protection: 'asked' });
    expect((await readFile(asked, 'utf8')).length).toBeGreaterThan(0);
    const machine = await importedInto('machine', made.signingKeys);
    await writeFile(join(root, 'machine/gpg-agent.conf'), 'pinentry-program /bin/false\n');
    await run(['gpgconf', '--homedir', join(root, 'machine'), '--kill', 'all'], { env: machine.env });
    await expect(signFile(machine, made.publicKey, [made.fingerprint])).rejects.toMatchObject({ code: 'RELEASE_GPG' });
  });

  it('says that it cannot make its directory where the kernel lets nobody make one', async () => {
    // Node's own recursive mkdir tries that for ever.
    await expect(make({ home: '/proc/safe' })).rejects.toMatchObject({
      code: expect.stringMatching(/^DISK_/) as string,
    });
  });

  it('never overwrites a key', async () => {
    const made = await make();
    const before = await readFile(made.signingKeys);
    await expect(make()).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    await expect(make({ out: join(root, 'elsewhere') })).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    expect((await readFile(made.signingKeys)).equals(before)).toBe(true);
  });

  it('says what goes into the safe, and the very lines for operators', async () => {
    const made = await make();
    const lines = describeKeygen(made, join(root, 'safe'));
    expect(lines).toContain(`  keys = [{ file = "alice.asc", fingerprint = "${made.fingerprint}" }]`);
    expect(lines.join('\n')).toContain(made.revocation);
  });
});
