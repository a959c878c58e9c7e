/**
 * From the archive's file to the bytes of the tar within, by magic bytes.
 *
 * Threat: the file's digest was verified, its contents were not. A stream that two tools end at different places (a second
 * gzip member or zstd frame, bytes after the end) shows one archive to who inspects it and another to who unpacks it,
 * so there is one stream, it ends where the file ends, and what it says of its length is true. Memory is a few pieces
 * and the decoder's window, at most 128 MiB for zstd --long=27, 32 KiB for gzip, and 128 MiB in a process of its own for xz.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { crc32, createInflateRaw, createZstdDecompress, constants as zlib } from 'node:zlib';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import { decoderOn, type Decoder } from './decoder.ts';
import { compressedFormat } from './formats.ts';
import { malformed, unsupported } from './refusal.ts';
import { xzPieces } from './xz.ts';
import { checkXzStream } from './xz-stream.ts';
import { WINDOW_LOG_MAX, zstdFrameEnd } from './zstd-frame.ts';

const READ_SIZE = 256 * 1024;
const GZIP_TRAILER = 8;
const REPACK = 'Pack it as .tar.gz, .tar.xz or .tar.zst.';

interface Source {
  readonly file: FileHandle;
  readonly size: number;
  readonly head: Buffer;
}

/**
 * The bytes of the tar archive in `path`, in pieces that are only valid until the next is asked for. Rejects with
 * ARTIFACT_ errors, DISK_ when reading fails.
 */
export async function* readTar(path: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(size, 64 * 1024));
    await file.read(head, 0, head.length, 0);
    if (size === 0) throw malformed('it is empty');
    yield* ahead(decoded({ file, size, head }));
  } catch (error) {
    throw error instanceof UpdaterError ? error : fromSystem(error, path);
  }
}

/** Has the next piece made while the last one is used. */
async function* ahead(pieces: AsyncGenerator<Buffer, void, undefined>): AsyncGenerator<Buffer, void, undefined> {
  let coming = settled(pieces.next());
  try {
    for (;;) {
      const next = await coming;
      if (next.status === 'rejected') throw next.reason;
      if (next.value.done === true) return;
      coming = settled(pieces.next());
      yield next.value.value;
    }
  } finally {
    await coming; // nothing is closed under a job of the thread pool
    await pieces.return();
  }
}

/** A failure of what nobody awaits yet would end the process. */
async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([promise]);
  return result;
}

function decoded(source: Source): AsyncGenerator<Buffer, void, undefined> {
  const { head } = source;
  const format = compressedFormat(head);
  if (format === undefined) return plain(source);
  const unpacked = DECODERS[format];
  if (unpacked === undefined) throw unsupported(`it is compressed with ${format}`, REPACK);
  return once(unpacked(source), format);
}

/** What is compressed twice would else be a tar that is cut short. */
async function* once(
  pieces: AsyncGenerator<Buffer, void, undefined>,
  outer: string,
): AsyncGenerator<Buffer, void, undefined> {
  let inner: string | undefined;
  let first = true;
  for await (const piece of pieces) {
    if (first) inner = compressedFormat(piece);
    first = false;
    if (inner !== undefined) throw unsupported(`it is compressed twice: with ${inner}, then with ${outer}`, REPACK);
    yield piece;
  }
}

const DECODERS: Readonly<Record<string, typeof gunzip>> = { gzip: gunzip, zstd: unzstd, xz: unxz };

function plain(source: Source): AsyncGenerator<Buffer, void, undefined> {
  return section(source, 0, source.size);
}

/** One gzip member (RFC 1952). Raw inflate, because gunzip joins members and leaves out zero padding in silence. */
async function* gunzip(source: Source): AsyncGenerator<Buffer, void, undefined> {
  const { file, size, head } = source;
  const start = gzipHeaderLength(head);
  const end = size - GZIP_TRAILER;
  if (end <= start) throw malformed('it is cut short');
  let sum = 0;
  let length = 0;
  for await (const piece of through(section(source, start, end), decoderOn(createInflateRaw(), zlib.Z_FINISH))) {
    sum = crc32(piece, sum);
    length += piece.length;
    yield piece;
  }
  const trailer = Buffer.alloc(GZIP_TRAILER);
  await file.read(trailer, 0, GZIP_TRAILER, end);
  if (trailer.readUInt32LE(0) !== sum) throw malformed('its gzip checksum is wrong');
  if (trailer.readUInt32LE(4) !== length % 2 ** 32) throw malformed('its gzip length is wrong');
}

function gzipHeaderLength(head: Buffer): number {
  if (head.length < 18 || head[2] !== 8) throw malformed('its gzip header is broken');
  const flags = head.readUInt8(3);
  if ((flags & 0xe0) !== 0) throw malformed('its gzip header has reserved flags');
  let at = 10;
  if ((flags & 0x04) !== 0) at += 2 + head.readUInt16LE(at);
  if ((flags & 0x08) !== 0) at = afterNul(head, at);
  if ((flags & 0x10) !== 0) at = afterNul(head, at);
  if ((flags & 0x02) !== 0) at += 2;
  return at;
}

function afterNul(head: Buffer, from: number): number {
  const nul = head.indexOf(0, from);
  if (nul < 0) throw malformed('its gzip header does not end');
  return nul + 1;
}

/** One zstd frame with content (RFC 8878). The decoder alone would take a cut frame for a whole one. */
async function* unzstd(source: Source): AsyncGenerator<Buffer, void, undefined> {
  const end = await zstdFrameEnd(source.file, source.size);
  const params = { [zlib.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX };
  yield* through(section(source, 0, end), decoderOn(createZstdDecompress({ params }), zlib.ZSTD_e_end));
}

async function* unxz({ file, size }: Source): AsyncGenerator<Buffer, void, undefined> {
  await checkXzStream(file, size);
  yield* xzPieces(file);
}

async function* through(pieces: AsyncGenerator<Buffer>, decoder: Decoder): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const piece of pieces) yield* decoder.decode(piece);
    await decoder.end();
  } finally {
    decoder.close();
  }
}

/** Each piece is valid until the second next is asked for. */
async function* section({ file }: Source, start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
  let [buffer, spare] = [Buffer.allocUnsafeSlow(READ_SIZE), Buffer.allocUnsafeSlow(READ_SIZE)];
  for (let at = start; at < end;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(READ_SIZE, end - at), at);
    if (bytesRead === 0) throw malformed('it is cut short');
    at += bytesRead;
    const piece = buffer.subarray(0, bytesRead);
    [buffer, spare] = [spare, buffer];
    yield piece;
  }
}

/** Errors of the decoders have codes of their own; what carries a system call is the disk's. */
function fromSystem(error: unknown, path: string): UpdaterError {
  if (error instanceof Error && 'syscall' in error) return diskError(error, 'read', path);
  return malformed(`it cannot be decompressed (${errnoOf(error) ?? String(error)})`, error);
}
