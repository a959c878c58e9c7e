/**
 * The publisher's own gpg: it finds the keys, asks for passphrases and talks to agents and smartcards. No secret key ever
 * passes through here. GNUPGHOME and GPG_TTY reach it through `env`.
 */
import { UpdaterError } from '../errors.ts';
import type { Run, RunResult } from '../host/ports.ts';
import { parseFingerprint } from '../release.ts';
import type { Fingerprint } from '../release.ts';

export interface Gpg {
  readonly run: Run;
  /** The environment that gpg sees. */
  readonly env: Readonly<Record<string, string>>;
}

/** A person may have to find the smartcard first. */
const TIMEOUT = 10 * 60_000;

/**
 * What gpg.conf must not change: hosts accept binary signatures (type 0x00) by SHA-256 or stronger, in one armour block
 * without remarks.
 */
const SIGN = [
  '--batch',
  '--status-fd=2',
  '--armor',
  '--no-comments',
  '--no-emit-version',
  '--no-textmode',
  '--digest-algo=SHA512',
  '--output=-',
  '--detach-sign',
];

export interface MadeSignature {
  readonly armoured: string;
  /** Of the keys that signed, which may be subkeys. */
  readonly keys: readonly Fingerprint[];
}

/** Signs a file. One armour block with a signature by each signer; gpg's default key when none is given. */
export async function signFile(gpg: Gpg, file: string, signers: readonly string[]): Promise<MadeSignature> {
  return made(await runGpg(gpg, [...localUsers(signers), ...SIGN, '--', file]), `sign ${file}`, signers);
}

export async function signText(gpg: Gpg, text: string, signers: readonly string[]): Promise<MadeSignature> {
  return made(await runGpg(gpg, [...localUsers(signers), ...SIGN], text), 'sign the manifest', signers);
}

/** The fingerprint of the primary key that a signer (a fingerprint of its own or of a subkey, or a user id) stands for. */
export async function primaryFingerprint(gpg: Gpg, signer: string): Promise<Fingerprint> {
  const result = await runGpg(gpg, ['--batch', '--with-colons', '--list-secret-keys', '--', signer]);
  const records = succeeded(result, `find the secret key ${signer}`).split('\n');
  if (records.filter((line) => line.startsWith('sec:')).length > 1) {
    throw gpgError(`${signer} stands for several keys; give the fingerprint of one`, result);
  }
  const record = records.find((line) => line.startsWith('fpr:'));
  const fingerprint = parseFingerprint(record?.split(':')[9] ?? '');
  if (fingerprint === undefined) throw gpgError(`gpg shows no fingerprint for the key ${signer}`, result);
  return fingerprint;
}

/** The public key, armoured. */
export async function exportKey(gpg: Gpg, fingerprint: Fingerprint): Promise<string> {
  const result = await runGpg(gpg, ['--batch', '--armor', '--export', '--', fingerprint]);
  return succeeded(result, `export the key ${fingerprint}`);
}

/** `asked`: the agent asks the person for a passphrase. `none`: whoever reads the file has the key. */
export type Protection = 'asked' | 'none';

/** A new Ed25519 primary key that certifies and does nothing else; it does not expire, so that hosts' settings hold. */
export async function makePrimaryKey(gpg: Gpg, userId: string, protection: Protection): Promise<Fingerprint> {
  const make = ['--quick-generate-key', userId, 'ed25519', 'cert', 'never'];
  return createdKey(await runGpg(gpg, [...unattended(protection), ...make]), 'P', 'make the primary key');
}

/** A new Ed25519 subkey that signs. `expires` as gpg takes it. */
export async function addSigningKey(
  gpg: Gpg,
  primary: Fingerprint,
  expires: string,
  protection: Protection,
): Promise<Fingerprint> {
  const make = ['--quick-add-key', primary, 'ed25519', 'sign', expires];
  return createdKey(await runGpg(gpg, [...unattended(protection), ...make]), 'S', 'make a signing key');
}

/** The secret subkeys, armoured; in the place of the secret primary key stands a note that it is elsewhere. */
export async function exportSigningKeys(gpg: Gpg, primary: Fingerprint, protection: Protection): Promise<string> {
  const result = await runGpg(gpg, [...unattended(protection), '--armor', '--export-secret-subkeys', '--', primary]);
  return succeeded(result, 'export the signing keys');
}

function unattended(protection: Protection): readonly string[] {
  const empty = protection === 'none' ? ['--pinentry-mode=loopback', '--passphrase='] : [];
  return ['--batch', '--status-fd=2', ...empty];
}

function createdKey(result: RunResult, kind: 'P' | 'S', doing: string): Fingerprint {
  const match = new RegExp(`^\\[GNUPG:\\] KEY_CREATED [${kind}B] ([0-9A-F]+)`, 'm').exec(result.stderr.toString());
  const fingerprint = parseFingerprint(match?.[1] ?? '');
  if (result.status === 0 && fingerprint !== undefined) return fingerprint;
  throw gpgError(result.timedOut ? `gpg took too long to ${doing}` : `gpg could not ${doing}`, result);
}

function localUsers(signers: readonly string[]): readonly string[] {
  return signers.map((signer) => `--local-user=${signer}`);
}

function runGpg(gpg: Gpg, args: readonly string[], input?: string): Promise<RunResult> {
  const options = { env: gpg.env, timeout: TIMEOUT };
  return gpg.run(['gpg', ...args], input === undefined ? options : { ...options, input });
}

function made(result: RunResult, doing: string, signers: readonly string[]): MadeSignature {
  const armoured = succeeded(result, doing);
  const keys = [...result.stderr.toString().matchAll(/^\[GNUPG:\] SIG_CREATED D (?:\S+ ){4}(\S+)$/gm)]
    .map((match) => parseFingerprint(match[1] ?? ''))
    .filter((fingerprint) => fingerprint !== undefined);
  if (keys.length !== Math.max(signers.length, 1)) throw gpgError(`gpg did not ${doing} for every signer`, result);
  return { armoured, keys };
}

function succeeded(result: RunResult, doing: string): string {
  if (result.status === 0 && result.stdout.length > 0) return result.stdout.toString('utf8');
  throw gpgError(result.timedOut ? `gpg took too long to ${doing}` : `gpg could not ${doing}`, result);
}

/** gpg's own words are what helps: a missing card, a wrong passphrase, an expired key. */
function gpgError(message: string, result: RunResult): UpdaterError {
  const words = result.stderr
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('[GNUPG:]'))
    .join('; ');
  return new UpdaterError('RELEASE_GPG', words === '' ? message : `${message}: ${words}`, {
    remedy:
      'See that `gpg --list-secret-keys` shows the key, that GNUPGHOME is right, and that the agent can ask for the ' +
      'passphrase (export GPG_TTY=$(tty)).',
  });
}
