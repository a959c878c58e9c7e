/**
 * A manifest's signatures: whether enough trusted keys signed exactly these bytes.
 *
 * Threat: whoever holds a mirror, the network or all keys but the threshold, wants bytes of theirs to be parsed. Each
 * signature is judged alone; it counts only if the structure check, openpgp.js and gpgv all accept it (each of the three
 * accepts forgeries that another refuses), and it counts for the primary key that verified it, never for what it claims.
 */
import { UpdaterError } from '../errors.ts';
import type { Fingerprint } from '../release.ts';
import type { Certificate } from './certificate.ts';
import { readEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { verifyWithGpgv } from './gpgv.ts';
import type { Gpgv } from './gpgv.ts';
import { verifyWithOpenpgp } from './openpgp.ts';
import type { Moment } from './openpgp.ts';
import { plainSignature, signaturePackets } from './structure.ts';
import { refusal, signersOf, tooFewSigners } from './verdict.ts';
import type { Refusal, Verdict } from './verdict.ts';

export interface TrustDeps extends Gpgv {
  /** The time, in milliseconds since the epoch, that openpgp.js and our own checks judge by; gpgv has its own clock. */
  readonly now: number;
  /** When a key must not have expired; `now` if it is left out. */
  readonly keysJudged?: Moment;
}

export interface Verified {
  readonly text: string;
  /** Distinct primary keys, at least `threshold` of them. */
  readonly signers: readonly Fingerprint[];
}

/** Throws TRUST_ENVELOPE, TRUST_NO_KEYS, or what `tooFewSigners` makes, which says what each signature lacks. */
export async function verifyEnvelope(
  bytes: Uint8Array,
  keys: readonly Certificate[],
  threshold: number,
  deps: TrustDeps,
): Promise<Verified> {
  requireKeys(keys, threshold);
  const envelope = readEnvelope(bytes);
  return { text: envelope.text, signers: await requireSigners('manifest', envelope, { keys, threshold }, deps) };
}

/** Whose signatures are asked for, and how many of them. */
export interface Quorum {
  readonly keys: readonly Certificate[];
  readonly threshold: number;
}

/** Who of these signed the text: at least the threshold. Throws as `verifyEnvelope` does; `what` is for its message. */
export async function requireSigners(
  what: string,
  { text, signatures }: Envelope,
  { keys, threshold }: Quorum,
  deps: TrustDeps,
): Promise<readonly Fingerprint[]> {
  requireKeys(keys, threshold);
  const document = Buffer.from(text, 'utf8');
  const verdicts: Verdict[] = [];
  for (const armoured of signatures) {
    verdicts.push(...(await judgeBlock(document, Buffer.from(armoured), 1, keys, deps)));
  }
  const signers = signersOf(verdicts);
  if (signers.length < threshold) throw tooFewSigners(what, verdicts, threshold);
  return signers;
}

/** One verdict for each signature of one armour block, or a single refusal when the block itself is not plain. */
export async function judgeBlock(
  document: Uint8Array,
  armoured: Uint8Array,
  most: number,
  keys: readonly Certificate[],
  deps: TrustDeps,
): Promise<readonly Verdict[]> {
  const packets = splitBlock(armoured, most);
  if ('reason' in packets) return [{ accepted: false, refusal: packets }];
  const verdicts: Verdict[] = [];
  for (const packet of packets) verdicts.push(await judgeSignature(document, packet, keys, deps));
  return verdicts;
}

/** The packets of a block, or why it is not plain. */
export function splitBlock(armoured: Uint8Array, most: number): readonly Uint8Array[] | Refusal {
  try {
    return signaturePackets(armoured, most);
  } catch (error) {
    if (!(error instanceof UpdaterError)) throw error;
    return refusal('structure', `it ${error.message}`, error);
  }
}

/** A threshold that no set of keys can reach, or that none is needed for, is never taken as “accept”. */
export function requireKeys(keys: readonly Certificate[], threshold: number): void {
  const distinct = new Set(keys.map(({ fingerprint }) => fingerprint)).size;
  if (Number.isInteger(threshold) && threshold >= 1 && distinct >= threshold) return;
  throw new UpdaterError(
    'TRUST_NO_KEYS',
    `${threshold} signatures cannot come from ${distinct} distinct trusted keys`,
    {
      remedy: 'Set `threshold` in the trust section of the node to at least 1 and at most the number of its keys.',
    },
  );
}

async function judgeSignature(
  document: Uint8Array,
  packet: Uint8Array,
  keys: readonly Certificate[],
  deps: TrustDeps,
): Promise<Verdict> {
  const notPlain = plainSignature(packet);
  if (notPlain !== undefined) return { accepted: false, refusal: notPlain };
  return judgeByKeys(keys, async (key) => {
    const refused = await verifyWithOpenpgp(document, packet, key, deps.now, deps.keysJudged);
    return refused ?? verifyWithGpgv({ bytes: document }, packet, key, deps, deps.keysJudged);
  });
}

/** Asks about each key in turn. “Not by this key” from one key says nothing; any other refusal is the one to report. */
export async function judgeByKeys(
  keys: readonly Certificate[],
  judge: (key: Certificate) => Promise<Refusal | undefined>,
): Promise<Verdict> {
  let worst = refusal('unknown-key', 'no key is trusted');
  for (const key of keys) {
    const refused = await judge(key);
    if (refused === undefined) return { accepted: true, signer: key.fingerprint };
    if (worst.reason === 'unknown-key') worst = refused;
  }
  return { accepted: false, refusal: worst };
}
