/**
 * The key sets of a published directory: `keys/N.json`, never changed and never removed, each signed by the thresholds of the
 * set before and of its own, so that a host that was off for years walks from its own set to the newest.
 *
 * Threat: who can write to the directory plants a set of his own. So a set counts here only if a key at hand signed it.
 */
import { readFile } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import type { Certificate } from '../trust/certificate.ts';
import { readEnvelope } from '../trust/envelope.ts';
import { certificatesOf, keySetPath, parseKeySet } from '../trust/key-set.ts';
import type { KeySet } from '../trust/key-set.ts';
import { verifySuccessor } from '../trust/rotation.ts';
import { verifyEnvelope } from '../trust/verify.ts';
import type { TrustDeps } from '../trust/verify.ts';
import { refuse } from './refuse.ts';

export interface PublishedKeySet {
  readonly set: KeySet;
  readonly envelope: Buffer;
}

/** The newest key set of a directory; undefined when it has none. Says nothing about who signed it. */
export async function readNewestKeySet(directory: string): Promise<PublishedKeySet | undefined> {
  let newest: PublishedKeySet | undefined;
  for (let number = 1; ; number++) {
    const envelope = await readIfThere(`${directory}/${keySetPath(number)}`);
    if (envelope === undefined) return newest;
    newest = { set: parseKeySet(readEnvelope(envelope).text), envelope };
    if (newest.set.number !== number) {
      const message = `${keySetPath(number)} states key set ${newest.set.number}`;
      throw refuse('RELEASE_KEY_SET', message, 'Put the file that was published back into place.');
    }
  }
}

/** As `readNewestKeySet`. Throws RELEASE_KEY_SET when none of `keys` signed it. */
export async function readTrustedKeySet(
  directory: string,
  keys: readonly Certificate[],
  trust: TrustDeps,
): Promise<KeySet | undefined> {
  const newest = await readNewestKeySet(directory);
  if (newest === undefined) return undefined;
  try {
    await verifyEnvelope(newest.envelope, keys, 1, trust);
  } catch (cause) {
    throw refuse(
      'RELEASE_KEY_SET',
      `no key at hand has signed ${keySetPath(newest.set.number)} of ${directory}`,
      'Give --key FILE=FINGERPRINT of one that has. If nobody knows that key set, somebody else can write to the directory.',
      cause,
    );
  }
  return newest.set;
}

/**
 * Throws RELEASE_KEY_SET unless the thresholds of the set before and of the set itself have signed: by the rule of hosts. The
 * first set is what operators already have, so nothing but its own threshold can vouch for it.
 */
export async function refuseUnwalkable(
  envelope: Buffer,
  before: KeySet | undefined,
  set: KeySet,
  trust: TrustDeps,
): Promise<void> {
  try {
    if (before === undefined) await verifyEnvelope(envelope, certificatesOf(set), set.threshold, trust);
    else await verifySuccessor(envelope, { ...before, keys: certificatesOf(before) }, set.name, trust);
  } catch (cause) {
    if (!(cause instanceof UpdaterError)) throw cause;
    throw refuse(
      'RELEASE_KEY_SET',
      `no host could walk to key set ${set.number}: it is not signed as it must be`,
      'It needs the thresholds of the key set before and of its own. Have the others sign it: rotate with --request FILE, release sign FILE on their machines, release sign --merge, then release publish --signed FILE.',
      cause,
    );
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, 'read', path);
  }
}
