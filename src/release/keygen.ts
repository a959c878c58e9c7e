/**
 * `release keygen`: the keys of one signer, made by gpg. The primary key only certifies, and stays in the GNUPGHOME that is
 * named, on a machine without a network; what signs from day to day is a subkey that expires and can be replaced without any
 * host noticing, since hosts know the primary key's fingerprint alone.
 *
 * Threat: whoever reads a secret key can sign. Passphrases go from the person to gpg's agent and never through here; files
 * with secrets are made for their owner alone, into a directory that must not hold them yet.
 */
import { chmod, readFile } from 'node:fs/promises';
import { diskError, errnoOf } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import type { Fingerprint } from '../release.ts';
import { addSigningKey, exportKey, exportSigningKeys, makePrimaryKey } from './gpg.ts';
import type { Gpg, Protection } from './gpg.ts';
import { refusePath } from './refuse.ts';

export interface KeygenOptions {
  /** Becomes the GNUPGHOME of the primary key; made if it is not there. */
  readonly home: string;
  /** Where the public key and the signing keys go. */
  readonly out: string;
  /** `Name <mail@example.org>` */
  readonly userId: string;
  /** First part of the files' names. */
  readonly name: string;
  /** How many signing subkeys: one for each machine that signs. */
  readonly subkeys: number;
  /** How long a signing subkey is good for, as gpg takes it: `2y`. */
  readonly expires: string;
  readonly protection: Protection;
}

export interface Keygen {
  readonly fingerprint: Fingerprint;
  readonly subkeys: readonly Fingerprint[];
  /** The public key: for hosts and for the other signers. */
  readonly publicKey: string;
  /** The secret signing keys without the primary key: for the machine that signs. */
  readonly signingKeys: string;
  /** For the day on which the primary key is lost or stolen. */
  readonly revocation: string;
}

/** The files that will be made. Throws RELEASE_INPUT when one of them is there already: a key is never overwritten. */
export async function planKeygen({
  out,
  name,
  home,
}: KeygenOptions): Promise<Pick<Keygen, 'publicKey' | 'signingKeys'>> {
  const files = { publicKey: `${out}/${name}.asc`, signingKeys: `${out}/${name}-signing.secret.asc` };
  for (const file of [files.publicKey, files.signingKeys, `${home}/pubring.kbx`]) {
    if (await exists(file)) {
      throw refusePath(
        file,
        'is there already',
        'Give --home and --out places that hold no keys yet, or another --name.',
      );
    }
  }
  return files;
}

/** Throws RELEASE_GPG with gpg's own words, and DISK_*. */
export async function keygen(options: KeygenOptions, { run, env }: Gpg, files: Files): Promise<Keygen> {
  const { publicKey, signingKeys } = await planKeygen(options);
  await files.makeDirectory(options.home, 0o700);
  await chmod(options.home, 0o700); // gpg complains of anything wider, and one that was there is left as it was
  const gpg = { run, env: { ...env, GNUPGHOME: options.home } };
  const fingerprint = await makePrimaryKey(gpg, options.userId, options.protection);
  const subkeys: Fingerprint[] = [];
  for (let made = 0; made < options.subkeys; made++) {
    subkeys.push(await addSigningKey(gpg, fingerprint, options.expires, options.protection));
  }
  await files.makeDirectory(options.out, 0o755);
  await files.replace(signingKeys, await exportSigningKeys(gpg, fingerprint, options.protection), 0o600);
  await files.replace(publicKey, await exportKey(gpg, fingerprint), 0o644);
  // gpg makes it beside the key, with words on its use, and unarmed: a colon stands before its first line.
  const revocation = `${options.home}/openpgp-revocs.d/${fingerprint}.rev`;
  return { fingerprint, subkeys, publicKey, signingKeys, revocation };
}

/** What the publisher does next, and what operators are told. */
export function describeKeygen(
  { fingerprint, subkeys, publicKey, signingKeys, revocation }: Keygen,
  home: string,
): readonly string[] {
  const file = publicKey.slice(publicKey.lastIndexOf('/') + 1);
  return [
    `fingerprint ${fingerprint}`,
    ...subkeys.map((subkey) => `signing key ${subkey}`),
    '',
    'Into the safe, on two media, and off this machine:',
    `  ${home}   the primary key; it makes new signing keys and key sets`,
    `  ${revocation}   for the day on which it is lost or stolen`,
    'To the machine that signs, then erase it here:',
    `  ${signingKeys}   there: gpg --import ${signingKeys.slice(signingKeys.lastIndexOf('/') + 1)}`,
    'To everybody, and its fingerprint by a second way:',
    `  ${publicKey}`,
    '',
    `An operator puts ${file} into /etc/node-updater/keys.d/ and writes into nodes.d/NODE.toml:`,
    '  [trust]',
    `  keys = [{ file = "${file}", fingerprint = "${fingerprint}" }]`,
  ];
}

async function exists(path: string): Promise<boolean> {
  try {
    await readFile(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw diskError(error, 'read', path);
  }
}
