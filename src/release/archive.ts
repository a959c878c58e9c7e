/** Turns entries into the bytes of an archive, one after the other: memory does not grow with the tree. */
import { createHash } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import { LIMITS } from '../manifest.ts';
import type { Digest } from '../release.ts';
import { compress } from './compress.ts';
import type { Compression } from './compress.ts';
import { END_OF_ARCHIVE, tarHeader, tarPadding } from './tar.ts';
import { readTree } from './tree.ts';
import type { TreeEntry } from './tree.ts';
import { refusePath } from './refuse.ts';

export interface ArchiveFacts {
  /** Bytes of the archive. */
  readonly size: number;
  readonly sha256: Digest;
  readonly counts: TreeCounts;
}

/** What the manifest states of an archive's content: see `Artifact` for what counts. */
export interface TreeCounts {
  entries: number;
  unpackedSize: number;
}

export interface ArchiveOptions extends Compression {
  /** Whole seconds since the epoch. */
  readonly mtime: number;
}

/** Fixed, so that a compressor sees the same pieces on every run, and its output is the same. */
const CHUNK = 256 * 1024;

/** Writes the archive of `directory` to `path`, which must not exist, and flushes it to the disk. */
export async function writeArchive(directory: string, path: string, options: ArchiveOptions): Promise<ArchiveFacts> {
  const counts = { entries: 0, unpackedSize: 0 };
  const hash = createHash('sha256');
  let size = 0;
  await using output = await open(path, 'wx', 0o644);
  const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      hash.update(chunk);
      size += chunk.length;
      await output.writeFile(chunk);
    }
  };
  const blocks = archiveBlocks(directory, options.mtime, counts);
  await compress(blocks, options, write);
  await output.chmod(0o644); // open(2) takes the umask off
  await output.sync();
  return { size, sha256: hash.digest('hex') as Digest, counts };
}

/** Adds one entry to the counts. Throws RELEASE_INPUT beyond what a client takes. */
export function countEntry(counts: TreeCounts, entry: TreeEntry): void {
  counts.entries += 1;
  if (entry.type === 'file') counts.unpackedSize += entry.size;
  if (counts.entries > LIMITS.entries) throw tooLarge(entry, `more than ${LIMITS.entries} entries`);
  if (counts.unpackedSize > LIMITS.unpacked) throw tooLarge(entry, `more than ${LIMITS.unpacked} bytes`);
}

async function* archiveBlocks(directory: string, mtime: number, counts: TreeCounts): AsyncGenerator<Buffer> {
  for await (const entry of readTree(directory)) {
    countEntry(counts, entry);
    yield tarHeader(entry, mtime);
    if (entry.type === 'file') yield* fileBlocks(directory, entry.path, entry.size);
  }
  yield END_OF_ARCHIVE;
}

async function* fileBlocks(directory: string, path: string, size: number): AsyncGenerator<Buffer> {
  const changed = 'changed while it was read';
  const remedy = 'Build from a directory that nobody writes to, and that you may read.';
  await using file = await open(`${directory}/${path}`, constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (cause: unknown) => {
      throw refusePath(path, 'cannot be read', remedy, cause);
    },
  );
  for (let done = 0; done < size;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size - done));
    for (let filled = 0; filled < chunk.length;) {
      const { bytesRead } = await file.read(chunk, filled, chunk.length - filled);
      if (bytesRead === 0) throw refusePath(path, changed, remedy);
      filled += bytesRead;
    }
    done += chunk.length;
    yield chunk;
  }
  if ((await file.stat()).size !== size) throw refusePath(path, changed, remedy);
  yield tarPadding(size);
}

function tooLarge(entry: TreeEntry, limit: string): Error {
  return refusePath(
    entry.path,
    `is where the release comes to ${limit}`,
    'Release less: hosts refuse so much at once.',
  );
}
