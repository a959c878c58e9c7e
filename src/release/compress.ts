/** Compression that gives the same bytes on every run. */
import { pipeline } from 'node:stream/promises';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';

export const FORMATS = ['tar.zst', 'tar.gz', 'tar'] as const;
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
  const compressor = compressorFor(compression);
  if (compressor === undefined) return write(blocks);
  const feed = async (): Promise<void> => {
    try {
      for await (const block of blocks) await writeTo(compressor, block);
      compressor.end();
    } catch (error) {
      // When the output failed, feeding fails of it: the output's error is the one to report.
      const cause = compressor.errored ?? error;
      compressor.destroy(cause as Error);
      throw cause;
    }
  };
  await Promise.all([pipeline(compressor, write), feed()]);
}

function writeTo(stream: Transform, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

function compressorFor({ format, level }: Compression): Transform | undefined {
  if (format === 'tar') return undefined;
  if (format === 'tar.gz') return zlib.createGzip({ level: level ?? LEVELS[format] });
  return zlib.createZstdCompress({
    params: {
      [zlib.constants.ZSTD_c_compressionLevel]: level ?? LEVELS[format],
      [zlib.constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}
