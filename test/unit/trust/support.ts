import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { run } from '../../../src/host/run.ts';
import { readCertificates } from '../../../src/trust/certificate.ts';
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
