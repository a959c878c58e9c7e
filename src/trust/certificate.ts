/** Public keys as bytes: which packets belong to which primary key, and its fingerprint (RFC 9580 sections 5.5.4, 10.1). */
import { createHash } from 'node:crypto';
import { LIMITS } from '../limits.ts';
import { parseFingerprint } from '../release.ts';
import type { Fingerprint } from '../release.ts';
import { dearmour, structureError } from './armour.ts';
import { framePacket, readPackets, TAG } from './packets.ts';
import type { Packet } from './packets.ts';

export interface Certificate {
  readonly fingerprint: Fingerprint;
  /** Primary key, user ids, subkeys and their signatures, framed anew: what both verifiers are given. */
  readonly bytes: Buffer;
}

/** RFC 9580 section 5.2.1. */
const KEY_REVOCATION = 0x20;
const KEPT: ReadonlySet<number> = new Set([
  TAG.publicKey,
  TAG.publicSubkey,
  TAG.userId,
  TAG.userAttribute,
  TAG.signature,
]);
const SKIPPED: ReadonlySet<number> = new Set([TAG.marker, TAG.trust, TAG.padding]);
const SECRET: ReadonlySet<number> = new Set([TAG.secretKey, TAG.secretSubkey]);

/** The certificates in a key file, armoured (one block or several) or binary. Throws TRUST_STRUCTURE. */
export function readCertificates(file: Buffer): readonly Certificate[] {
  const groups: Packet[][] = [];
  for (const packet of readPackets(binaryOf(file), LIMITS.packetsPerKeyFile)) {
    if (SECRET.has(packet.tag)) throw structureError('holds a secret key; export the public one');
    if (SKIPPED.has(packet.tag)) continue;
    if (!KEPT.has(packet.tag)) throw structureError(`holds a packet of type ${packet.tag}, which belongs to no key`);
    if (packet.tag === TAG.publicKey) groups.push([packet]);
    else if (groups.length > 0) groups.at(-1)?.push(packet);
    else throw structureError('does not start with a primary key');
  }
  return groups.map((packets) => ({
    fingerprint: fingerprintOf(packets[0] as Packet),
    bytes: Buffer.concat(packets.map(framePacket)),
  }));
}

/**
 * Whether it holds a revocation of its primary key. Presence is enough: nobody but the publisher or the operator could have
 * wanted it there, and one that does not verify is no reason to trust.
 */
export function isRevoked({ bytes }: Certificate): boolean {
  return readPackets(bytes, LIMITS.packetsPerKeyFile).some(
    ({ tag, body }) => tag === TAG.signature && body[1] === KEY_REVOCATION,
  );
}

function binaryOf(file: Buffer): Buffer {
  if (((file[0] ?? 0) & 0x80) !== 0) return file;
  const blocks = file
    .toString('latin1')
    .trim()
    .split(/(?<=-----END PGP PUBLIC KEY BLOCK-----)\s+(?=-----BEGIN)/);
  return Buffer.concat(blocks.map((block) => dearmour(block, 'PUBLIC KEY BLOCK')));
}

function fingerprintOf({ body }: Packet): Fingerprint {
  const text = body[0] === 6 ? hashed('sha256', 0x9b, 4, body) : hashed('sha1', 0x99, 2, body);
  const fingerprint = body[0] === 4 || body[0] === 6 ? parseFingerprint(text) : undefined;
  if (fingerprint === undefined) throw structureError('holds a key of an unsupported version');
  return fingerprint;
}

function hashed(algorithm: string, prefix: number, lengthOctets: number, body: Uint8Array): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return createHash(algorithm)
    .update(Buffer.of(prefix))
    .update(length.subarray(4 - lengthOctets))
    .update(body)
    .digest('hex');
}
