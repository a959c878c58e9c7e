/**
 * OpenPGP packet framing (RFC 9580 section 4.2): headers only, no packet body is interpreted here.
 *
 * Threat: two readers that split the same bytes differently see different signatures. Lengths are definite, bounded by
 * the input, and every packet is framed anew before a verifier sees it, so that both read the same split.
 */
import { structureError } from './armour.ts';

export interface Packet {
  readonly tag: number;
  readonly body: Uint8Array;
}

export const TAG = {
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  marker: 10,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
  padding: 21,
} as const;

interface Header {
  readonly tag: number;
  readonly start: number;
  readonly length: number;
}

/** Splits bytes into packets, at most `most`. Throws TRUST_STRUCTURE for anything that is not whole packets. */
export function readPackets(bytes: Uint8Array, most: number): readonly Packet[] {
  const packets: Packet[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    if (packets.length === most) throw structureError(`holds more than ${most} packets`);
    const { tag, start, length } = readHeader(view, at);
    if (start + length > bytes.length) throw structureError('is truncated: a packet is longer than the file');
    packets.push({ tag, body: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return packets;
}

/** The packet under a new-format header with the shortest length that fits. */
export function framePacket(packet: Packet): Buffer {
  const size = packet.body.length;
  const first = 0xc0 | packet.tag;
  if (size < 192) return Buffer.concat([Buffer.of(first, size), packet.body]);
  if (size < 8384) {
    return Buffer.concat([Buffer.of(first, ((size - 192) >> 8) + 192, (size - 192) & 0xff), packet.body]);
  }
  const header = Buffer.alloc(6);
  header.writeUInt16BE((first << 8) | 0xff, 0);
  header.writeUInt32BE(size, 2);
  return Buffer.concat([header, packet.body]);
}

function readHeader(view: DataView, at: number): Header {
  const first = view.getUint8(at);
  if ((first & 0x80) === 0) throw structureError('holds bytes that are no OpenPGP packet');
  try {
    return (first & 0x40) === 0 ? oldHeader(view, at, first) : newHeader(view, at, first);
  } catch (error) {
    if (error instanceof RangeError) throw structureError('is truncated inside a packet header');
    throw error;
  }
}

function oldHeader(view: DataView, at: number, first: number): Header {
  const tag = (first >> 2) & 0x0f;
  switch (first & 0x03) {
    case 0:
      return { tag, start: at + 2, length: view.getUint8(at + 1) };
    case 1:
      return { tag, start: at + 3, length: view.getUint16(at + 1) };
    case 2:
      return { tag, start: at + 5, length: view.getUint32(at + 1) };
    default:
      throw structureError('holds a packet of indeterminate length');
  }
}

function newHeader(view: DataView, at: number, first: number): Header {
  const tag = first & 0x3f;
  const octet = view.getUint8(at + 1);
  if (octet < 192) return { tag, start: at + 2, length: octet };
  if (octet < 224) return { tag, start: at + 3, length: ((octet - 192) << 8) + view.getUint8(at + 2) + 192 };
  if (octet < 255) throw structureError('holds a packet of partial length');
  return { tag, start: at + 6, length: view.getUint32(at + 2) };
}
