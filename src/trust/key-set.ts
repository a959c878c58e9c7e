/**
 * `keys/N.json`: key set N, in the same envelope as the manifest (DESIGN.md section 7). This is its text; trust/rotation.ts
 * says whether its signatures make it the successor of the set before.
 *
 * Threat: a set that looks sound and locks the host out, or lets in more than it seems to: two names for one key, a
 * certificate that is not the fingerprint beside it, secret keys or several keys in one certificate, a threshold that nobody
 * or anybody reaches. All of these are refused whole; a certificate comes out as the bytes that both verifiers will be given.
 */
import * as z from 'zod';
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Fingerprint } from '../release.ts';
import { readCertificates } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { countField, fingerprintField, nameField, readSignedText, timeField } from './signed-text.ts';
import { printable } from './verdict.ts';

export interface KeySet {
  readonly schema: 1;
  /** The product, as in its manifests: a publisher's keys for one product say nothing about another. */
  readonly name: string;
  /** From 1; the successor of N is N + 1, and no set is ever changed or removed. */
  readonly number: number;
  /** Milliseconds since the epoch, from RFC 3339 text in UTC. */
  readonly published: number;
  /** From then on no manifest counts that this set's keys signed. The set still leads to its successor. */
  readonly expires: number;
  /** How many distinct keys of this set must sign a manifest, and the next set; at least 1. */
  readonly threshold: number;
  readonly keys: readonly KeySetKey[];
}

export interface KeySetKey {
  /** Of the primary key. */
  readonly fingerprint: Fingerprint;
  /** One armoured public key with its subkeys. */
  readonly certificate: string;
}

const SCHEMA = 1;

const key = z.object({
  fingerprint: fingerprintField,
  certificate: z.string().max(LIMITS.certificate, `is larger than ${LIMITS.certificate} characters`),
});

const keySet = z.object({
  schema: z.literal(SCHEMA),
  name: nameField,
  number: countField.min(1).max(LIMITS.keySets),
  published: timeField,
  expires: timeField,
  threshold: countField.min(1).max(LIMITS.keysPerSet),
  keys: z.array(key).min(1).max(LIMITS.keysPerSet),
});

const UNDERSTOOD: ReadonlySet<string> = new Set([
  'critical',
  ...Object.keys(keySet.shape),
  ...Object.keys(key.shape).map((field) => `keys.${field}`),
]);

/** Where a key set is published, relative to the manifest. */
export function keySetPath(number: number): string {
  return `keys/${number}.json`;
}

/** Throws TRUST_KEY_SET, or TRUST_NEWER_SCHEMA when the text was made for a later node-updater. Unknown fields are ignored. */
export function parseKeySet(text: string): KeySet {
  const kind = { what: 'the key set', schema: SCHEMA, understood: UNDERSTOOD, fault: keySetError };
  const set = readSignedText(text, keySet, kind);
  if (set.expires <= set.published) throw keySetError('it expires before it is published');
  if (set.threshold > set.keys.length) {
    throw keySetError(`its threshold is ${set.threshold}, and it holds ${set.keys.length} keys`);
  }
  if (new Set(set.keys.map(({ fingerprint }) => fingerprint)).size < set.keys.length) {
    throw keySetError('it names one key twice');
  }
  certificatesOf(set);
  return set;
}

/** The keys of a set, as the verifiers take them. Throws TRUST_KEY_SET for a certificate that is not its fingerprint's. */
export function certificatesOf({ keys }: Pick<KeySet, 'keys'>): readonly Certificate[] {
  return keys.map(({ fingerprint, certificate }) => {
    const found = read(fingerprint, certificate);
    if (found.length === 1 && found[0]?.fingerprint === fingerprint) return found[0];
    const held = found.map((one) => one.fingerprint).join(', ');
    throw keySetError(`the certificate of ${fingerprint} holds ${held === '' ? 'no key' : held}`);
  });
}

/** What the publisher signs; `parseKeySet` reads it back. Throws TRUST_KEY_SET for what no host would take. */
export function keySetText(set: KeySet): string {
  const { schema, name, number, published, expires, threshold, keys } = set;
  const wire = { schema, name, number, published: timeText(published), expires: timeText(expires), threshold, keys };
  const text = `${JSON.stringify(wire, null, 2)}\n`;
  parseKeySet(text);
  return text;
}

function timeText(time: number): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function read(fingerprint: Fingerprint, certificate: string): readonly Certificate[] {
  // The same key in binary would be another text for the same thing.
  if (!certificate.startsWith('-----BEGIN')) throw keySetError(`the certificate of ${fingerprint} is not armoured`);
  try {
    return readCertificates(Buffer.from(certificate, 'latin1'));
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw keySetError(`the certificate of ${fingerprint} ${problem}`, error);
  }
}

function keySetError(problem: string, cause?: unknown): UpdaterError {
  return new UpdaterError('TRUST_KEY_SET', `the key set is not valid: ${printable(problem)}`, {
    remedy:
      'Tell the publisher: hosts stay with the key set before until a sound one is published. Nothing was installed.',
    cause,
  });
}
