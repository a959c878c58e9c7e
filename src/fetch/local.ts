/** `file:` URLs: a mirror on a disk or a stick, for hosts without a network (P42). Regular files only. */
import { constants, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { UpdaterError, errnoOf } from '../errors.ts';
import { beginPart, closePart, completePart, openPart } from './part.ts';
import { pump, tooLarge } from './pump.ts';
import { shownUrl } from './wording.ts';
import type { Brought, Task } from './context.ts';
import type { Watch } from './exchange.ts';

/** @throws UpdaterError SOURCE_UNREACHABLE, SOURCE_PROTOCOL, SOURCE_TOO_LARGE, DISK_* */
export async function fetchFromDisk(task: Task, url: URL): Promise<Brought> {
  await using source = await openSource(url);
  const facts = await source.stat({ bigint: true });
  if (!facts.isFile()) throw unusable('SOURCE_PROTOCOL', url, 'is not a regular file');
  const etag = etagOf(facts);
  if (etag === task.file.etag) return { kind: 'not-modified' };
  if (facts.size > BigInt(task.file.limit)) throw tooLarge(task, shownUrl(url));
  const part = await openPart(task.directory, task.file.name);
  try {
    await beginPart(part, 0, { url: url.href });
    await pump((watch) => readSource(source, watch), part, task, shownUrl(url));
    await completePart(part);
    return { kind: 'fetched', bytes: part.size, etag };
  } finally {
    await closePart(part);
  }
}

/** A file that grows while it is read meets the limit as a body would. A disk is never too slow: no time is counted. */
async function* readSource(source: FileHandle, watch: Watch): AsyncGenerator<Buffer> {
  const stream = source.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
  for await (const chunk of stream) {
    const objection = watch(chunk.length, 0n);
    if (objection !== undefined) throw objection;
    yield chunk;
  }
}

async function openSource(url: URL): Promise<FileHandle> {
  try {
    // O_NONBLOCK: opening a fifo must not wait for its writer.
    return await open(fileURLToPath(url), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined || errno.startsWith('ERR_'))
      throw unusable('SOURCE_PROTOCOL', url, 'names no file of this host', cause);
    throw unusable(
      'SOURCE_UNREACHABLE',
      url,
      errno === 'ENOENT' ? 'does not exist' : `cannot be opened (${errno})`,
      cause,
    );
  }
}

/** Changes whenever the file does, as a server's would. */
function etagOf(facts: BigIntStats): string {
  return `"${facts.size.toString(16)}-${facts.mtimeNs.toString(16)}"`;
}

function unusable(
  code: 'SOURCE_PROTOCOL' | 'SOURCE_UNREACHABLE',
  url: URL,
  what: string,
  cause?: unknown,
): UpdaterError {
  return new UpdaterError(code, `${shownUrl(url)} ${what}.`, {
    cause,
    remedy:
      'Check that the mirror is mounted, and that the user node-updater may read the file and enter its directories.',
  });
}
