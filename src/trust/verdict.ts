/** What became of one signature, and how the operator is told when too few of them are good. */
import { UpdaterError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Fingerprint } from '../release.ts';

/** A literal for each way in which a signature does not count; messages carry it so that it can be searched for. */
export type RefusalReason =
  | 'structure'
  | 'weak-hash'
  | 'unknown-key'
  | 'weak-key'
  | 'key-expired'
  | 'key-revoked'
  | 'key-unusable'
  | 'signature-expired'
  | 'signature-from-future'
  | 'signature-older-than-key'
  | 'bad-signature'
  | 'gpgv-refused'
  | 'verifier-failed';

export interface Refusal {
  readonly reason: RefusalReason;
  /** Half a sentence for the operator; one line of printable text. */
  readonly message: string;
  readonly cause?: unknown;
}

export type Verdict =
  { readonly accepted: true; readonly signer: Fingerprint } | { readonly accepted: false; readonly refusal: Refusal };

export function refusal(reason: RefusalReason, message: string, cause?: unknown): Refusal {
  return { reason, message: printable(message), ...(cause === undefined ? {} : { cause }) };
}

/** Untrusted text (a notation's name, a user id) must stay one short line in a log. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 300);
}

/** Distinct primary keys: a key that signs twice counts once. */
export function signersOf(verdicts: readonly Verdict[]): readonly Fingerprint[] {
  return [...new Set(verdicts.flatMap((verdict) => (verdict.accepted ? [verdict.signer] : [])))];
}

/** The most telling first: of many bad signatures it names the one that a person can do something about. */
const CODE_OF: readonly (readonly [RefusalReason, ErrorCode])[] = [
  ['verifier-failed', 'TRUST_VERIFIER'],
  ['key-revoked', 'TRUST_KEY_REVOKED'],
  ['key-expired', 'TRUST_KEY_EXPIRED'],
  ['signature-from-future', 'TRUST_SIGNATURE_TIME'],
  ['signature-expired', 'TRUST_SIGNATURE_EXPIRED'],
  ['signature-older-than-key', 'TRUST_SIGNATURE_TIME'],
  ['weak-key', 'TRUST_WEAK_KEY'],
  ['weak-hash', 'TRUST_WEAK_HASH'],
  ['key-unusable', 'TRUST_KEY_UNUSABLE'],
  ['bad-signature', 'TRUST_BAD_SIGNATURE'],
  ['gpgv-refused', 'TRUST_BAD_SIGNATURE'],
  ['structure', 'TRUST_STRUCTURE'],
];

/**
 * TRUST_VERIFIER when a verifier itself failed; TRUST_THRESHOLD when too few trusted keys signed; else the code of what is
 * wrong with the signatures, of which none counts. `what` is the signed thing, for the message.
 */
export function tooFewSigners(what: string, verdicts: readonly Verdict[], threshold: number): UpdaterError {
  const refusals = verdicts.flatMap((verdict) => (verdict.accepted ? [] : [verdict.refusal]));
  const reasons = new Set(refusals.map((one) => one.reason));
  const good = signersOf(verdicts).length;
  const lines = verdicts.map((verdict, index) => `signature ${index + 1}: ${describe(verdict)}`);
  const message = `the ${what} is signed by ${good} of the ${threshold} trusted keys that it needs; ${lines.join('; ')}`;
  return new UpdaterError(codeFor(reasons, good), message, {
    remedy: remedyFor(reasons),
    cause: new AggregateError(
      refusals.map((one) => one.cause ?? new Error(one.message)),
      'refused signatures',
    ),
  });
}

function codeFor(reasons: ReadonlySet<RefusalReason>, good: number): ErrorCode {
  if (good > 0 && !reasons.has('verifier-failed')) return 'TRUST_THRESHOLD';
  return CODE_OF.find(([reason]) => reasons.has(reason))?.[1] ?? 'TRUST_THRESHOLD';
}

function describe(verdict: Verdict): string {
  if (verdict.accepted) return `good, by ${verdict.signer}`;
  return `refused (${verdict.refusal.reason}): ${verdict.refusal.message}`;
}

function remedyFor(reasons: ReadonlySet<RefusalReason>): string {
  if (reasons.has('verifier-failed')) {
    return 'Install or repair gpgv (`apt install --reinstall gpgv`), then run `node-updater check`.';
  }
  if (reasons.has('key-expired') || reasons.has('key-revoked')) {
    return 'Get the present key from the publisher, compare its fingerprint by a second way, and type: node-updater keys add FILE --fingerprint FINGERPRINT';
  }
  if (reasons.has('signature-from-future')) return 'Compare the clock of this host (`timedatectl`) with a trusted one.';
  if (reasons.has('unknown-key')) {
    return 'If the publisher announced a new key, compare its fingerprint by a second way, and type: node-updater keys add FILE --fingerprint FINGERPRINT. If not, tell the publisher: somebody else signs in its name.';
  }
  if (reasons.has('weak-hash') || reasons.has('weak-key')) {
    return 'Tell the publisher: it must sign with SHA-256 or better, and an Ed25519 key or one of RSA with 3072 bits or more.';
  }
  if (reasons.has('signature-expired')) return 'The publisher must sign again. Try another mirror meanwhile.';
  if (reasons.has('key-unusable')) {
    return 'Look at the key: `node-updater keys list`. The publisher must sign with a key that may sign, or send its certificate anew.';
  }
  return 'Nothing was installed. If it lasts over several hours and mirrors, tell the publisher; do not lower the threshold.';
}
