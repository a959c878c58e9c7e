import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { run } from '../../../src/host/run.ts';
import { readCertificates } from '../../../src/trust/certificate.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import type { Certificate } from '../../../src/trust/certificate.ts';
import type { TrustDeps } from '../../../src/trust/verify.ts';

export const fixtures = new URL('../../fixtures/openpgp/', import.meta.url).pathname;
/** The corpus was made in 2026 with keys that do not expire, but for those that shall. */
export const CORPUS_NOW = Date.parse('2026-11-20T12:00:00Z');

export interface Expectation {
  readonly file: string;
  readonly expect: 'accept' | 'reject' | 'either';
  readonly need2: 'accept' | 'reject' | 'either';
  readonly note: string;
  readonly document?: string;
}

export function fixture(name: string): Promise<Buffer> {
  return readFile(join(fixtures, name));
}

export async function expectations(): Promise<readonly Expectation[]> {
  return JSON.parse(await readFile(join(fixtures, 'sigs/EXPECT.json'), 'utf8')) as Expectation[];
}

export async function certificates(name: string): Promise<readonly Certificate[]> {
  return readCertificates(await fixture(`keys/${name}`));
}

export async function certificate(name: string): Promise<Certificate> {
  const [only, ...rest] = await certificates(name);
  if (only === undefined || rest.length > 0) throw new Error(`${name} does not hold one key`);
  return only;
}

export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

export async function scratch(): Promise<Scratch> {
  const path = await mkdtemp(join(tmpdir(), 'trust-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export function depsIn(directory: string, now = CORPUS_NOW): TrustDeps {
  return { run, gpgv: '/usr/bin/gpgv', scratch: directory, now };
}

/** A real gpg with a home of its own. Every call is `gpg --batch …`; its agent dies with `stop`. */
export interface Gpg extends AsyncDisposable {
  (...args: readonly string[]): Promise<Buffer>;
  readonly home: string;
}

const execute = promisify(execFile);

export async function realGpg(parent: string): Promise<Gpg> {
  const home = await mkdtemp(join(parent, 'gnupg-'));
  await mkdir(home, { recursive: true, mode: 0o700 });
  const env = { ...process.env, GNUPGHOME: home };
  const gpg = async (...args: readonly string[]): Promise<Buffer> => {
    const fixed = ['--batch', '--yes', '--pinentry-mode', 'loopback', '--passphrase', '', '--trust-model', 'always'];
    const { stdout } = await execute('gpg', [...fixed, ...args], { env, encoding: 'buffer' });
    return stdout;
  };
  const stop = async (): Promise<void> => {
    await execute('gpgconf', ['--kill', 'all'], { env });
    await rm(home, { recursive: true, force: true });
  };
  return Object.assign(gpg, { home, [Symbol.asyncDispose]: stop });
}

/** Makes a key that signs and exports its public half. */
export async function newKey(gpg: Gpg, user: string, options: readonly string[] = []): Promise<Certificate> {
  await gpg(...options, '--quick-generate-key', user, 'ed25519', 'sign', 'never');
  return exported(gpg, user);
}

export async function exported(gpg: Gpg, user: string): Promise<Certificate> {
  const [certificate] = readCertificates(await gpg('--export', user));
  if (certificate === undefined) throw new Error(`gpg exported no key for ${user}`);
  return certificate;
}

export async function signed(
  gpg: Gpg,
  user: string,
  document: string,
  options: readonly string[] = [],
): Promise<Buffer> {
  return gpg(...options, '--armor', '--local-user', user, '--output', '-', '--detach-sign', document);
}

/** How each row that is refused is told to the operator; the verdict alone could come from the wrong check. */
export const CODE_OF_ROW: Readonly<Record<string, ErrorCode>> = {
  '20-corrupt-s.asc': 'TRUST_BAD_SIGNATURE',
  '21-tampered-document.asc': 'TRUST_BAD_SIGNATURE',
  '23-attacker-claims-issuer-A.asc': 'TRUST_BAD_SIGNATURE',
  '24-key-expired-at-sign.asc': 'TRUST_KEY_EXPIRED',
  '28-revoked-subkey.asc': 'TRUST_KEY_REVOKED',
  '29-sig-expired.asc': 'TRUST_SIGNATURE_EXPIRED',
  '30-sig-future.asc': 'TRUST_SIGNATURE_TIME',
  '31-sig-before-key.asc': 'TRUST_SIGNATURE_TIME',
  '33-md5.asc': 'TRUST_WEAK_HASH',
  '34-sha1-ed25519.asc': 'TRUST_WEAK_HASH',
  '35-rsa1024.asc': 'TRUST_WEAK_KEY',
  '37-v3-sha256.asc': 'TRUST_STRUCTURE',
  '39-critical-notation.asc': 'TRUST_BAD_SIGNATURE',
  '40-critical-subpacket.asc': 'TRUST_BAD_SIGNATURE',
  '41-no-creation-time.asc': 'TRUST_STRUCTURE',
  '46-standalone.asc': 'TRUST_STRUCTURE',
  '47-timestamp.asc': 'TRUST_STRUCTURE',
  '48-certification-as-document.asc': 'TRUST_STRUCTURE',
  '49-encryption-subkey.asc': 'TRUST_KEY_UNUSABLE',
  '51-certify-only-primary.asc': 'TRUST_KEY_UNUSABLE',
  '52-zero-r-s.asc': 'TRUST_BAD_SIGNATURE',
  '54-unknown-hash.asc': 'TRUST_WEAK_HASH',
  '55-truncated.asc': 'TRUST_STRUCTURE',
  '58-inline-message-as-detached.asc': 'TRUST_STRUCTURE',
  '59-inline-in-signature-armor.asc': 'TRUST_STRUCTURE',
  '61-cleartext-as-detached.asc': 'TRUST_STRUCTURE',
  '62-cleartext-prefix-text.asc': 'TRUST_STRUCTURE',
  '63-payload-after-block.asc': 'TRUST_STRUCTURE',
  '64-two-blocks-payload-between.asc': 'TRUST_STRUCTURE',
  '68-unknown-critical-packet.asc': 'TRUST_STRUCTURE',
  '70-literal-packet-first.asc': 'TRUST_STRUCTURE',
  '72-huge-unhashed.asc': 'TRUST_STRUCTURE',
};
