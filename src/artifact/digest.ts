/** The SHA-256 of an open file, read from its start to its end: what the manifest's digest is compared with. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { diskError } from '../errors.ts';
import { parseDigest, type Digest } from '../release.ts';

const CHUNK = 1024 * 1024;

/** The next piece is read while the last is hashed. Rejects with DISK_ when it cannot be read. */
export async function digestOf(file: FileHandle, path: string): Promise<Digest> {
  const hash = createHash('sha256');
  let [bytes, spare] = [Buffer.allocUnsafeSlow(CHUNK), Buffer.allocUnsafeSlow(CHUNK)];
  let length = await readAt(file, path, bytes, 0);
  for (let at = length; length > 0; at += length) {
    const next = readAt(file, path, spare, at);
    hash.update(bytes.subarray(0, length));
    length = await next;
    [bytes, spare] = [spare, bytes];
  }
  const sha256 = parseDigest(hash.digest('hex'));
  if (sha256 === undefined) throw new TypeError('SHA-256 did not give 64 hex digits');
  return sha256;
}

async function readAt(file: FileHandle, path: string, bytes: Buffer, at: number): Promise<number> {
  try {
    return (await file.read(bytes, 0, bytes.length, at)).bytesRead;
  } catch (error) {
    throw diskError(error, 'read', path);
  }
}
