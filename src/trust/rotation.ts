/**
 * From one key set to the next: whether `keys/N+1.json` follows from set N (DESIGN.md section 7).
 *
 * Threat: whoever can hand over a key set of his own owns the host for good. So a set follows only if the threshold of the
 * set before signed exactly its text, and its own threshold did too, which proves that those keys exist and can sign; and
 * only if it is for this product and has the next number. Nothing of the text is parsed before the first of the two holds.
 *
 * Time: a host may have been off for years. The keys of a set need not be good any more when the host walks on from it,
 * they must have been when they signed; that a set itself is out of date matters only for the last one, which manifests are
 * judged by (`checkKeySet`). What this cannot refuse: whoever has a whole threshold of a set's keys, expired or not, can lead
 * a host on that has seen no later set; the host would else be locked out by having been off. A revoked key leads nowhere.
 */
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Certificate } from './certificate.ts';
import { readEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { certificatesOf, keySetPath, parseKeySet } from './key-set.ts';
import type { KeySet } from './key-set.ts';
import { requireSigners } from './verify.ts';
import type { Quorum, TrustDeps } from './verify.ts';

/** The keys that count now: the operator's, or those of the key set that the host has walked to. */
export interface TrustedSet extends Quorum {
  readonly number: number;
  /** Milliseconds since the epoch; the operator's own keys are trusted until he takes them away. */
  readonly expires?: number;
}

export interface Successor {
  readonly set: KeySet;
  /** What was signed. */
  readonly text: string;
  readonly keys: readonly Certificate[];
}

/**
 * Key set `before.number + 1`. Throws TRUST_ENVELOPE, TRUST_KEY_CHAIN, TRUST_VERIFIER, TRUST_KEY_SET, TRUST_NEWER_SCHEMA,
 * TRUST_WRONG_PRODUCT or TRUST_CLOCK.
 */
export async function verifySuccessor(
  bytes: Uint8Array,
  before: TrustedSet,
  name: string,
  deps: TrustDeps,
): Promise<Successor> {
  const number = before.number + 1;
  const envelope = readEnvelope(bytes, keySetPath(number));
  await signedBy(envelope, before, `key set ${before.number}`, number, deps);
  const set = parseKeySet(envelope.text);
  if (set.name !== name) throw wrongName(set, name);
  if (set.number !== number) throw chain(number, `it calls itself number ${set.number}`);
  if (set.published > deps.now + LIMITS.clockSkew) throw fromFuture(set, deps.now);
  const keys = certificatesOf(set);
  await signedBy(envelope, { keys, threshold: set.threshold }, 'its own keys', number, deps);
  return { set, text: envelope.text, keys };
}

/** Throws TRUST_KEYS_EXPIRED when the set is out of date at `now`. */
export function checkKeySet({ number, expires }: Pick<TrustedSet, 'number' | 'expires'>, now: number): void {
  if (expires === undefined || now < expires) return;
  const message = `key set ${number} expired on ${iso(expires)}, and here it is ${iso(now)}`;
  throw new UpdaterError('TRUST_KEYS_EXPIRED', message, {
    remedy:
      `The publisher must publish ${keySetPath(number + 1)}, or somebody holds it back: try another mirror. Or the clock of ` +
      'this host is wrong: compare `timedatectl` with a trusted one. The node keeps running.',
  });
}

async function signedBy(
  envelope: Envelope,
  quorum: Quorum,
  who: string,
  number: number,
  deps: TrustDeps,
): Promise<void> {
  try {
    await requireSigners(`key set ${number}`, envelope, quorum, { ...deps, keysJudged: 'when-signed' });
  } catch (error) {
    // A gpgv that is missing says nothing about the set.
    if (!(error instanceof UpdaterError) || error.code === 'TRUST_VERIFIER' || error.code.startsWith('DISK_'))
      throw error;
    throw chain(number, `for ${who}: ${error.message}`, error);
  }
}

function chain(number: number, problem: string, cause?: unknown): UpdaterError {
  return new UpdaterError('TRUST_KEY_CHAIN', `key set ${number} does not follow from the one before: ${problem}`, {
    remedy:
      `This host stays with key set ${number - 1}. If the publisher says that ${keySetPath(number)} is right, then the ` +
      'keys or `key_set` in the trust section of the node are not those of the set before: compare `node-updater keys list`.',
    cause,
  });
}

function wrongName(set: KeySet, name: string): UpdaterError {
  return new UpdaterError('TRUST_WRONG_PRODUCT', `key set ${set.number} is for ${set.name}, not for ${name}`, {
    remedy: 'Compare `name` and the URLs in the source section of the node with what the publisher states.',
  });
}

function fromFuture(set: KeySet, now: number): UpdaterError {
  const message = `key set ${set.number} says that it is published on ${iso(set.published)}, but here it is ${iso(now)}`;
  return new UpdaterError('TRUST_CLOCK', message, {
    remedy: 'Compare the clock of this host (`timedatectl`) with a trusted one and set it right.',
  });
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** Codes of signatures that are not by keys that count. */
const NOT_BY_THESE: ReadonlySet<string> = new Set(['TRUST_THRESHOLD', 'TRUST_KEY_EXPIRED', 'TRUST_KEY_REVOKED']);

/**
 * The same error, with a remedy for a host that has walked: there an operator who adds a key by hand would make the walk begin
 * again, from keys that may have left for a reason, which is what somebody who holds one of them hopes for.
 */
export function underKeySet(error: UpdaterError, { number, expires }: TrustedSet): UpdaterError {
  if (expires === undefined || !NOT_BY_THESE.has(error.code)) return error;
  const remedy =
    `What counts here are the keys of key set ${number}, to which the publisher itself has led. It must sign with them, or publish ` +
    `${keySetPath(number + 1)}: tell it. Add no key for this: a change of keys.d makes the walk begin again, from keys that may have been removed since.`;
  return new UpdaterError(error.code, error.message, { remedy, cause: error.cause });
}
