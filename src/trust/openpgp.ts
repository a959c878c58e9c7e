/**
 * The second of the three checks: openpgp.js, one signature, one key, the exact bytes. Sole importer of openpgp.
 *
 * Threat: a key that was stolen, then revoked or left to expire, signs with a date before that; openpgp.js judges the key
 * at the date which the signature states, and accepts softly revoked keys. So the key must be good *now*, any revocation
 * ends it, and what is weak by today's measure is refused even where the library still takes it.
 */
import type { Config, Key, SignaturePacket, Subkey } from 'openpgp';
import { LIMITS } from '../limits.ts';
import { MAX_CLOCK_SKEW } from './clock.ts';
import type { Certificate } from './certificate.ts';
import { refusal } from './verdict.ts';
import type { Refusal } from './verdict.ts';

type OpenPgp = typeof import('openpgp');

interface Parsed {
  readonly library: OpenPgp;
  readonly config: Config;
  readonly signature: SignaturePacket;
  readonly key: Key;
  readonly signer: Key | Subkey;
}

/** Why `certificate` did not make this signature over `document`, or must not; undefined if openpgp.js accepts it. */
export async function verifyWithOpenpgp(
  document: Uint8Array,
  packet: Uint8Array,
  certificate: Certificate,
  now: number,
): Promise<Refusal | undefined> {
  const parsed = await parse(packet, certificate);
  if ('reason' in parsed) return parsed;
  return (await judgeSigner(parsed, now)) ?? (await judgeDocument(parsed, document, packet, now));
}

/** All of that but the signature's own mathematics: for archives, whose bytes only gpgv reads. */
export async function checkSigner(
  packet: Uint8Array,
  certificate: Certificate,
  now: number,
): Promise<Refusal | undefined> {
  const parsed = await parse(packet, certificate);
  return 'reason' in parsed ? parsed : judgeSigner(parsed, now);
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

async function judgeSigner(parsed: Parsed, now: number): Promise<Refusal | undefined> {
  return judgeTimes(parsed, now) ?? judgeStrength(parsed) ?? judgeRevocation(parsed) ?? (await judgeKey(parsed, now));
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
  for (const part of [key, signer]) {
    const { algorithm, bits } = part.getAlgorithmInfo();
    if (algorithm.startsWith('rsa') && (bits ?? 0) < LIMITS.rsaBits) {
      return refusal('weak-key', `${named(part)} has ${bits ?? 0} bits; RSA needs ${LIMITS.rsaBits}`);
    }
    if (algorithm === 'dsa' || algorithm === 'elgamal') return refusal('weak-key', `${named(part)} uses ${algorithm}`);
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
