/** Compression that gives the same bytes on every run. */
import { pipeline } from 'node:stream/promises';
import type { Duplex } from 'node:stream';
import * as zlib from 'node:zlib';
import { errnoOf } from '../errors.ts';
import { xzCompressor } from './xz.ts';

export const FORMATS = ['tar.zst', 'tar.gz', 'tar.xz', 'tar'] as const;
export type Format = (typeof FORMATS)[number];

export interface Compression {
  readonly format: Format;
  /** The compressor's own scale; undefined for the default. */
  readonly level: number | undefined;
}

const LEVELS: Readonly<Record<'tar.zst' | 'tar.gz', number>> = { 'tar.zst': 19, 'tar.gz': 9 };

/**
 * Passes the compressed blocks to `write`: the same blocks give the same bytes. Each piece is compressed before the next is written, and the end comes alone. Left to the stream's own queue, the last
 * piece and the end arrive together or apart as the scheduler likes, and zstd then makes other bytes.
 */
export async function compress(
  blocks: AsyncIterable<Buffer>,
  compression: Compression,
  write: (chunks: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const made = compressorFor(compression);
  if (made === undefined) return write(blocks);
  const { stream, ended } = made;
  const output = pipeline(stream, write);
  const work = Promise.all([output, feed(blocks, stream, [output, ended])]);
  const [done, end] = await Promise.allSettled([work, ended]);
  // Whoever writes into a broken pipe is told so; why it was broken is what to report.
  if (done.status === 'rejected' && errnoOf(done.reason) !== 'EPIPE') throw done.reason;
  if (end.status === 'rejected') throw end.reason;
  if (done.status === 'rejected') throw done.reason;
}

/** `others` must not fail meanwhile: a program that has ended takes nothing more, and a pipe to it never says so. */
async function feed(blocks: AsyncIterable<Buffer>, stream: Duplex, others: readonly Promise<void>[]): Promise<void> {
  const failures = others.map((other) => other.then(() => new Promise<never>(() => undefined)));
  // With no block left to race with, nobody here hears of a failure: compress() waits for the others themselves, and throws it.
  for (const failure of failures) failure.catch(() => undefined);
  try {
    for await (const block of blocks) await Promise.race([writeTo(stream, block), ...failures]);
    stream.end();
  } catch (error) {
    // When the output failed, feeding fails of it: the output's error is the one to report.
    const cause = stream.errored ?? error;
    stream.destroy(cause as Error);
    throw cause;
  }
}

function writeTo(stream: Duplex, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** `ended` rejects when the compressor is a program that did not end well. */
interface Compressor {
  readonly stream: Duplex;
  readonly ended: Promise<void>;
}

function compressorFor({ format, level }: Compression): Compressor | undefined {
  if (format === 'tar') return undefined;
  if (format === 'tar.xz') return xzCompressor(level);
  const ended = Promise.resolve();
  if (format === 'tar.gz') return { stream: zlib.createGzip({ level: level ?? LEVELS[format] }), ended };
  const params = {
    [zlib.constants.ZSTD_c_compressionLevel]: level ?? LEVELS[format],
    [zlib.constants.ZSTD_c_checksumFlag]: 1,
  };
  return { stream: zlib.createZstdCompress({ params }), ended };
}
