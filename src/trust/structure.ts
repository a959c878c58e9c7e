/**
 * The packet structure check: the first of the three that a signature must pass, on bytes that nobody vouches for.
 *
 * Threat: openpgp.js and gpgv each accept files that hold more than detached signatures (cleartext documents, inline
 * messages, text around the block, other packets first); a person or a program that reads the file sees other content
 * than what was verified. Both together still accept some. This check, before either runs, accepts none of them: one
 * armour block and nothing around it, at most 16 KiB, signature packets alone.
 */
import { LIMITS } from '../manifest.ts';
import { dearmour, structureError } from './armour.ts';
import { framePacket, readPackets, TAG } from './packets.ts';
import { refusal } from './verdict.ts';
import type { Refusal } from './verdict.ts';

const BINARY_DOCUMENT = 0x00;
/** RFC 9580 section 9.5. MD5, SHA-1, RIPEMD-160 are broken; SHA-224 and SHA-3 are not known to every gpgv. */
const STRONG_HASHES: ReadonlyMap<number, string> = new Map([
  [8, 'SHA-256'],
  [9, 'SHA-384'],
  [10, 'SHA-512'],
]);

/** Each signature packet of one armour block, framed anew, to be judged alone. Throws TRUST_STRUCTURE. */
export function signaturePackets(armoured: Uint8Array, most: number): readonly Uint8Array[] {
  if (armoured.length > LIMITS.signature) {
    throw structureError(`is ${armoured.length} bytes long; a signature has at most ${LIMITS.signature}`);
  }
  const packets = readPackets(dearmour(Buffer.from(armoured).toString('latin1'), 'SIGNATURE'), most);
  if (packets.length === 0) throw structureError('holds no signature');
  for (const { tag } of packets) {
    if (tag !== TAG.signature) throw structureError(`holds a packet of type ${tag} beside its signatures`);
  }
  return packets.map(framePacket);
}

/** Why a signature packet is not a plain, strong, detached signature of a binary document; undefined if it is. */
export function plainSignature(packet: Uint8Array): Refusal | undefined {
  const [version, type, , hash] = readPackets(packet, 1)[0]?.body ?? [];
  if (version !== 4 && version !== 6) {
    return refusal('structure', `it is a version ${String(version)} signature; only versions 4 and 6 are accepted`);
  }
  if (type !== BINARY_DOCUMENT) {
    return refusal('structure', `it is of type ${String(type)}; only detached signatures of binary data are accepted`);
  }
  if (!STRONG_HASHES.has(hash ?? -1)) {
    return refusal(
      'weak-hash',
      `it uses hash algorithm ${String(hash)}; accepted are ${[...STRONG_HASHES.values()].join(', ')}`,
    );
  }
  return undefined;
}
