/**
 * Whether a file is the one that is signed, as far as the choice between mirrors goes. Nobody believes it for more: the
 * transaction checks size, digest and signature on a copy of its own.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { diskError, errnoOf } from '../errors.ts';
import type { FetchFile } from '../orders.ts';

/** False for what is not there, or is no regular file. @throws UpdaterError DISK_* */
export async function isSigned(path: string, signed: NonNullable<FetchFile['signed']>): Promise<boolean> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const facts = await file.stat();
    if (!facts.isFile() || facts.nlink !== 1 || facts.size !== signed.size) return false;
    const hash = createHash('sha256');
    const bytes = file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
    for await (const chunk of bytes) hash.update(chunk);
    return hash.digest('hex') === signed.sha256;
  } catch (cause) {
    if (['ENOENT', 'ELOOP', 'ENXIO'].includes(errnoOf(cause) ?? '')) return false;
    throw diskError(cause, 'read', path);
  }
}
