/**
 * The second of the three checks: openpgp.js, one signature, one key, the exact bytes. Sole importer of openpgp.
 *
 * Threat: a key that was stolen, then revoked or left to expire, signs with a date before that; openpgp.js judges the key
 * at the date which the signature states, and accepts softly revoked keys. So the key must be good *now*, any revocation
 * ends it, and what is weak by today's measure is refused even where the library still takes it.
 */
import type { Config, Key, SignaturePacket, Subkey } from 'openpgp';
import { LIMITS } from '../limits.ts';
import type { Fingerprint } from '../release.ts';
import { MAX_CLOCK_SKEW } from './clock.ts';
import type { Certificate } from './certificate.ts';
import { printable, refusal } from './verdict.ts';
import type { Refusal } from './verdict.ts';

/** What a certificate says of its key, for people and for warnings. Times in milliseconds since the epoch. */
export interface KeyFacts {
  readonly fingerprint: Fingerprint;
  readonly userIds: readonly string[];
  /** As `rsa4096` or `ed25519`. */
  readonly algorithm: string;
  readonly created: number;
  /** When it, or the part of it that signs, expires; undefined for never. */
  readonly expires?: number;
  /** Whether its signatures count now; `expired`, `revoked` or `unusable` says why not. */
  readonly state: 'good' | 'expired' | 'revoked' | 'unusable';
  /** Half a sentence, where it is not good. */
  readonly problem?: string;
}

type OpenPgp = typeof import('openpgp');

interface Parsed {
  readonly library: OpenPgp;
  readonly config: Config;
  readonly signature: SignaturePacket;
  readonly key: Key;
  readonly signer: Key | Subkey;
}

/**
 * When a key must not have expired: at the present time, or at the time when it signed, for a signature that may be old,
 * such as one under a key set. Revoked it must not be at any time.
 */
export type Moment = 'now' | 'when-signed';

/** Why `certificate` did not make this signature over `document`, or must not; undefined if openpgp.js accepts it. */
export async function verifyWithOpenpgp(
  document: Uint8Array,
  packet: Uint8Array,
  certificate: Certificate,
  now: number,
  moment: Moment = 'now',
): Promise<Refusal | undefined> {
  const parsed = await parse(packet, certificate);
  if ('reason' in parsed) return parsed;
  return (await judgeSigner(parsed, now, moment)) ?? (await judgeDocument(parsed, document, packet, now));
}

/** All of that but the signature's own mathematics: for archives, whose bytes only gpgv reads. */
export async function checkSigner(
  packet: Uint8Array,
  certificate: Certificate,
  now: number,
): Promise<Refusal | undefined> {
  const parsed = await parse(packet, certificate);
  return 'reason' in parsed ? parsed : judgeSigner(parsed, now, 'now');
}

/** What would become of a signature that the key made now; never throws for what the key is like. */
export async function describeKey(certificate: Certificate, now: number): Promise<KeyFacts> {
  const library = await import('openpgp');
  const config = strict(library);
  const { fingerprint } = certificate;
  try {
    const key = await library.readKey({ binaryKey: certificate.bytes, config });
    const { algorithm, bits, curve } = key.getAlgorithmInfo();
    const signs = await signingPart(key, config, now);
    const expires = await endOf(key, signs.part, config);
    return {
      fingerprint,
      userIds: key.getUserIDs().map(printable),
      algorithm: algorithm.startsWith('rsa') ? `rsa${bits ?? 0}` : (curve ?? algorithm).replace(/Legacy$/, ''),
      created: key.getCreationTime().getTime(),
      ...(expires === undefined ? {} : { expires }),
      ...stateOf(key, signs, expires, now),
    };
  } catch (error) {
    const problem = `cannot be read: ${printable(messageOf(error))}`;
    return { fingerprint, userIds: [], algorithm: 'unknown', created: 0, state: 'unusable', problem };
  }
}

interface Signing {
  readonly part?: Key | Subkey;
  readonly problem?: string;
}

/** Of a key that has expired nothing may sign now; the part that did says when that ended. */
async function signingPart(key: Key, config: Config, now: number): Promise<Signing> {
  try {
    return { part: await key.getSigningKey(undefined, new Date(now), undefined, config) };
  } catch (error) {
    return { problem: `may not sign: ${printable(messageOf(error))}` };
  }
}

async function endOf(key: Key, part: Key | Subkey | undefined, config: Config): Promise<number | undefined> {
  const ends = [await key.getExpirationTime(undefined, config)];
  const parts = part === undefined ? key.getSubkeys() : [part];
  for (const one of parts) if ('mainKey' in one) ends.push(await one.getExpirationTime(undefined, config));
  const times = ends.flatMap((end) => (end === null || !Number.isFinite(end.valueOf()) ? [] : [end.valueOf()]));
  return times.length === 0 ? undefined : Math.min(...times);
}

function stateOf(
  key: Key,
  { part, problem }: Signing,
  expires: number | undefined,
  now: number,
): Pick<KeyFacts, 'state' | 'problem'> {
  if (key.revocationSignatures.length > 0) return { state: 'revoked', problem: 'is revoked' };
  if (expires !== undefined && expires <= now) return { state: 'expired', problem: `expired on ${iso(expires)}` };
  if (part === undefined) return { state: 'unusable', problem: problem ?? 'may not sign' };
  const weak = weakness([key, part]);
  return weak === undefined ? { state: 'good' } : { state: 'unusable', problem: weak };
}

async function parse(packet: Uint8Array, certificate: Certificate): Promise<Parsed | Refusal> {
  const library = await import('openpgp');
  const config = strict(library);
  try {
    const { packets } = await library.readSignature({ binarySignature: packet, config });
    const key = await library.readKey({ binaryKey: certificate.bytes, config });
    const signature = packets[0];
    if (signature === undefined || packets.length !== 1) return refusal('structure', 'it is not one signature');
    const signer = key.getKeys(signature.issuerKeyID)[0];
    if (signer !== undefined) return { library, config, signature, key, signer };
    return refusal(
      'unknown-key',
      `it names the key ${signature.issuerKeyID.toHex().toUpperCase()}, which is not trusted`,
    );
  } catch (error) {
    return refusal('structure', `it cannot be read: ${messageOf(error)}`, error);
  }
}

function strict(library: OpenPgp): Config {
  const { hash, publicKey } = library.enums;
  const weakHashes = new Set([hash.md5, hash.sha1, hash.ripemd]);
  return {
    ...library.config,
    minRSABits: LIMITS.rsaBits,
    rejectHashAlgorithms: weakHashes,
    rejectMessageHashAlgorithms: weakHashes,
    rejectPublicKeyAlgorithms: new Set([publicKey.elgamal, publicKey.dsa]),
    // A publisher that prolonged its key has self-signatures younger than its older releases. What makes the option
    // insecure elsewhere cannot happen here: the key was found good at the present time before.
    allowInsecureVerificationWithReformattedKeys: true,
  };
}

async function judgeSigner(parsed: Parsed, now: number, moment: Moment): Promise<Refusal | undefined> {
  const refused = judgeTimes(parsed, now) ?? judgeStrength(parsed) ?? judgeRevocation(parsed);
  return refused ?? (await judgeKeyAt(moment, parsed, now));
}

/** A certificate that was renewed since is not valid yet at the time of its older signatures: present validity does as well. */
async function judgeKeyAt(moment: Moment, parsed: Parsed, now: number): Promise<Refusal | undefined> {
  const refused = await judgeKey(parsed, now);
  const signed = parsed.signature.created?.getTime();
  if (refused === undefined || moment === 'now' || signed === undefined) return refused;
  return judgeKey(parsed, signed);
}

function judgeTimes({ signature, signer }: Parsed, now: number): Refusal | undefined {
  const created = signature.created?.getTime();
  if (created === undefined) return refusal('structure', 'it does not say when it was made');
  if (created > now + MAX_CLOCK_SKEW) {
    return refusal('signature-from-future', `it was made on ${iso(created)}, which is in the future for this host`);
  }
  if (created < signer.getCreationTime().getTime()) {
    return refusal('signature-older-than-key', 'it claims to be older than the key that made it');
  }
  const expires = signature.getExpirationTime().valueOf();
  if (expires <= now) return refusal('signature-expired', `it expired on ${iso(expires)}`);
  return undefined;
}

function judgeStrength({ key, signer }: Parsed): Refusal | undefined {
  const weak = weakness([key, signer]);
  return weak === undefined ? undefined : refusal('weak-key', weak);
}

function weakness(parts: readonly (Key | Subkey)[]): string | undefined {
  for (const part of parts) {
    const { algorithm, bits } = part.getAlgorithmInfo();
    if (algorithm.startsWith('rsa') && (bits ?? 0) < LIMITS.rsaBits) {
      return `${named(part)} has ${bits ?? 0} bits; RSA needs ${LIMITS.rsaBits}`;
    }
    if (algorithm === 'dsa' || algorithm === 'elgamal') return `${named(part)} uses ${algorithm}`;
  }
  return undefined;
}

/** Presence is enough: only the operator writes the key's file, and a revocation that does not verify is no reason to trust. */
function judgeRevocation({ key, signer }: Parsed): Refusal | undefined {
  const revoked = [key, signer].find((part) => part.revocationSignatures.length > 0);
  return revoked === undefined ? undefined : refusal('key-revoked', `${named(revoked)} is revoked`);
}

async function judgeKey({ key, signer, signature, config }: Parsed, now: number): Promise<Refusal | undefined> {
  const at = new Date(now);
  const primaryEnd = await key.getExpirationTime(undefined, config);
  const subkeyEnd = 'mainKey' in signer ? await signer.getExpirationTime(at, config) : primaryEnd;
  for (const end of [primaryEnd, subkeyEnd]) {
    if (end !== null && end.valueOf() <= now) {
      return refusal('key-expired', `${named(signer)} expired on ${iso(end.valueOf())}`);
    }
  }
  try {
    const usable = await key.getSigningKey(signature.issuerKeyID, at, undefined, config);
    if (usable.getFingerprint() === signer.getFingerprint()) return undefined;
    return refusal('key-unusable', `${named(signer)} is not the key that may sign`);
  } catch (error) {
    return refusal('key-unusable', `${named(signer)} may not sign: ${messageOf(error)}`, error);
  }
}

async function judgeDocument(
  { library, config, key }: Parsed,
  document: Uint8Array,
  packet: Uint8Array,
  now: number,
): Promise<Refusal | undefined> {
  try {
    const result = await library.verify({
      message: await library.createMessage({ binary: document }),
      signature: await library.readSignature({ binarySignature: packet, config }),
      verificationKeys: [key.toPublic()],
      date: new Date(now + MAX_CLOCK_SKEW),
      format: 'binary',
      config,
    });
    const [only, ...rest] = result.signatures;
    if (only === undefined || rest.length > 0) return refusal('structure', 'it is not one signature');
    await only.verified;
    return undefined;
  } catch (error) {
    return refusal('bad-signature', `openpgp.js refuses it: ${messageOf(error)}`, error);
  }
}

function named(part: Key | Subkey): string {
  return `the key ${part.getFingerprint().toUpperCase()}`;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
