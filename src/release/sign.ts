/** `release sign`: the detached signature of an archive, beside it. */
import { access, constants } from 'node:fs/promises';
import { diskError } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import { SUFFIX } from './description.ts';
import { signFile } from './gpg.ts';
import type { Gpg, MadeSignature } from './gpg.ts';

export interface SignOptions {
  readonly archive: string;
  /** As gpg's --local-user takes them; none for gpg's default key. */
  readonly signers: readonly string[];
}

export interface Signed extends Pick<MadeSignature, 'keys'> {
  readonly signature: string;
}

/** Throws RELEASE_GPG with gpg's own words when gpg does not sign, DISK_IO when the archive cannot be read. */
export async function signRelease({ archive, signers }: SignOptions, gpg: Gpg, files: Files): Promise<Signed> {
  await requireReadable(archive);
  const { armoured, keys } = await signFile(gpg, archive, signers);
  const signature = archive + SUFFIX.signature;
  await files.replace(signature, armoured, 0o644);
  return { signature, keys };
}

/** gpg's own word for a mistyped name would send people to look at their keys. */
async function requireReadable(archive: string): Promise<void> {
  try {
    await access(archive, constants.R_OK);
  } catch (error) {
    throw diskError(error, 'read', archive);
  }
}
