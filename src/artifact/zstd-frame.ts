/**
 * Where the zstd frame of a file ends (RFC 8878 section 3.1.1), read from its block headers without decompressing. Node's
 * decoder ends after the first frame of a write, goes on to the next frame of the next write, and takes a frame that
 * is cut short for a whole one; so the frame is measured here, and the decoder given exactly that.
 */
import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { malformed, unsupported } from './refusal.ts';

/** 128 MiB, what `zstd --long` writes and what zstd reads without being told to. */
export const WINDOW_LOG_MAX = 27;

const MAGIC = 0xfd2fb528;
const HEADER_MAX = 18;
const RLE = 1;
const RESERVED = 3;
const NOTHING = 0;
/** Blocks (of at most 128 KiB) after which timers get their turn. */
const TURN = 256;

/** The end of the one frame that has content. Only empty frames, which some writers leave, may follow it. */
export async function zstdFrameEnd(file: FileHandle, size: number): Promise<number> {
  const first = await measure(file, size, 0);
  let at = first.end;
  while (at < size) {
    const next = await measure(file, size, at);
    if (next.content !== NOTHING) throw malformed('a second zstd frame follows the first');
    at = next.end;
  }
  return first.end;
}

interface Frame {
  readonly end: number;
  /** Bytes of all blocks; zero only for an empty frame. */
  readonly content: number;
}

async function measure(file: FileHandle, size: number, start: number): Promise<Frame> {
  const head = bytesAt(file, start, Math.min(HEADER_MAX, size - start));
  const { length, checksum } = frameHeader(head);
  let at = start + length;
  let content = 0;
  let blocks = 0;
  for (let last = false; !last;) {
    const block = bytesAt(file, at, 3).readUIntLE(0, 3);
    if (++blocks % TURN === 0) await setImmediate();
    last = (block & 1) === 1;
    const type = (block >> 1) & 3;
    if (type === RESERVED) throw malformed('it has a zstd block of a reserved type');
    const stored = block >> 3;
    content += stored;
    at += 3 + (type === RLE ? 1 : stored);
  }
  const end = at + checksum;
  if (end > size) throw malformed('its zstd frame is cut short');
  return { end, content };
}

function frameHeader(head: Buffer): { length: number; checksum: number } {
  if (head.length < 9 || head.readUInt32LE(0) !== MAGIC) throw malformed('something follows its zstd frame');
  const descriptor = head.readUInt8(4);
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  if (dictionaryBytes > 0) throw unsupported('it needs a zstd dictionary', 'Compress without one.');
  if (!single && 10 + (head.readUInt8(5) >> 3) > WINDOW_LOG_MAX) {
    throw unsupported('its zstd window is larger than 128 MiB', 'Compress with --long=27 or less.');
  }
  return { length: 5 + (single ? 0 : 1) + sizeBytes, checksum: (descriptor & 0x04) === 0 ? 0 : 4 };
}

/** In this thread, since there are thousands and what was verified a moment ago is mostly still in memory. */
function bytesAt(file: FileHandle, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(file.fd, bytes, 0, length, position) < length) throw malformed('its zstd frame is cut short');
  return bytes;
}
