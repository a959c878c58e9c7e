/** `release sign`: the detached signature of an archive, beside it. */
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

/** Throws RELEASE_GPG with gpg's own words when gpg does not sign. */
export async function signRelease({ archive, signers }: SignOptions, gpg: Gpg, files: Files): Promise<Signed> {
  const { armoured, keys } = await signFile(gpg, archive, signers);
  const signature = archive + SUFFIX.signature;
  await files.replace(signature, armoured, 0o644);
  return { signature, keys };
}
