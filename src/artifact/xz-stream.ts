/**
 * Where the xz stream of a file ends (The .xz File Format 1.2.1), read from its footer and index without decompressing. The xz
 * program joins streams and passes over padding between them; so the one stream is measured here, and has to be as long
 * as its file. That the blocks are what the index says is for xz to see.
 */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { malformed } from './refusal.ts';

/** Of a stream's header, and of its footer. */
const EDGE = 12;
const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const FOOTER_MAGIC = Buffer.from('YZ');
/** A hundred thousand blocks; xz makes one alone, and with threads one for some 24 MiB. */
const INDEX_MAX = 1024 * 1024;

/** Throws ARTIFACT_MALFORMED unless one xz stream fills the file from its first byte to its last. */
export async function checkXzStream(file: FileHandle, size: number): Promise<void> {
  if (size < 2 * EDGE + 8 || size % 4 !== 0) throw malformed('it is cut short, or something follows its xz stream');
  const header = await bytesAt(file, 0, EDGE);
  const footer = await bytesAt(file, size - EDGE, EDGE);
  if (!header.subarray(0, 6).equals(MAGIC) || header.readUInt32LE(8) !== crc32(header.subarray(6, 8))) {
    throw malformed('its xz header is broken');
  }
  if (!footer.subarray(10).equals(FOOTER_MAGIC) || footer.readUInt32LE(0) !== crc32(footer.subarray(4, 10))) {
    throw malformed('it is cut short, or something follows its xz stream');
  }
  const indexSize = (footer.readUInt32LE(4) + 1) * 4;
  if (indexSize > INDEX_MAX || indexSize > size - 2 * EDGE) throw malformed('its xz index is too long');
  const index = await bytesAt(file, size - EDGE - indexSize, indexSize);
  if (EDGE + blocksOf(index) + indexSize + EDGE !== size) throw malformed('a second xz stream follows the first');
}

/** Bytes of all blocks, each padded to four. */
function blocksOf(index: Buffer): number {
  if (index[0] !== 0) throw malformed('its xz index is broken');
  const numbers = multibyteNumbers(index, 1, index.length - 4);
  const records = numbers.next().value;
  let blocks = 0;
  for (let record = 0; record < (records ?? 0); record++) {
    const unpadded = numbers.next().value ?? 0;
    numbers.next(); // its size when decompressed
    blocks += Math.ceil(unpadded / 4) * 4;
  }
  return blocks;
}

/** Seven bits to a byte, the lowest first; the top bit says that more follow. */
function* multibyteNumbers(bytes: Buffer, start: number, end: number): Generator<number, undefined, undefined> {
  for (let at = start; at < end;) {
    let value = 0;
    let scale = 1;
    let byte: number;
    do {
      byte = at < end && scale <= 2 ** 56 ? bytes.readUInt8(at++) : Number.NaN;
      if (Number.isNaN(byte)) throw malformed('its xz index is broken');
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while ((byte & 0x80) !== 0);
    yield value;
  }
  throw malformed('its xz index is broken');
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  if (bytesRead < length) throw malformed('it is cut short');
  return bytes;
}
