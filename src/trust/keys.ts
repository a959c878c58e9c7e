/**
 * The operator's trusted keys, read from the files that the settings name.
 *
 * Threat: a file that somebody else can write decides whom this host believes; a missing or empty file must never mean
 * that anything is accepted. So: a regular file, no symbolic link, owned by root or by us, writable by nobody else,
 * small, and holding the very key whose full fingerprint the operator wrote down.
 */
import { constants, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import { LIMITS } from '../manifest.ts';
import type { TrustedKey } from '../settings.ts';
import { readCertificates } from './certificate.ts';
import type { Certificate } from './certificate.ts';

/** Reads every key. Throws TRUST_NO_KEYS for an empty list, TRUST_KEY_FILE with the reason for a file that will not do. */
export async function loadKeys(keys: readonly TrustedKey[]): Promise<readonly Certificate[]> {
  if (keys.length === 0) {
    throw new UpdaterError('TRUST_NO_KEYS', 'no trusted key is configured, so nothing can be verified', {
      remedy: 'Put the publisher’s public key into /etc/node-updater/keys.d and name its file and full fingerprint.',
    });
  }
  return Promise.all(keys.map(loadKey));
}

async function loadKey(key: TrustedKey): Promise<Certificate> {
  const certificates = parse(key, await readSafely(key));
  const matching = certificates.filter(({ fingerprint }) => fingerprint === key.fingerprint);
  if (matching.length === 1) return matching[0] as Certificate;
  if (matching.length > 1) throw keyFile(key, `holds the key ${key.fingerprint} more than once`);
  const found = certificates.map(({ fingerprint }) => fingerprint).join(', ');
  throw keyFile(key, `holds ${found === '' ? 'no key' : found}, not the key ${key.fingerprint}`);
}

function parse(key: TrustedKey, bytes: Buffer): readonly Certificate[] {
  try {
    return readCertificates(bytes);
  } catch (error) {
    throw keyFile(key, error instanceof Error ? error.message : 'cannot be read', error);
  }
}

async function readSafely(key: TrustedKey): Promise<Buffer> {
  const file = await openSafely(key);
  try {
    const facts = await file.stat();
    const problem = unsafe(facts, facts.isFile());
    if (problem !== undefined) throw keyFile(key, problem);
    return await readWhole(file, facts.size);
  } finally {
    await file.close();
  }
}

async function openSafely(key: TrustedKey): Promise<FileHandle> {
  try {
    // O_NONBLOCK: a FIFO in place of the file must not hang us.
    return await open(key.file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const reasons: Readonly<Record<string, string>> = { ENOENT: 'does not exist', ELOOP: 'is a symbolic link' };
    const reason = reasons[errnoOf(error) ?? ''];
    // That it cannot be opened says nothing about the key.
    throw reason === undefined ? diskError(error, 'open', key.file) : keyFile(key, reason, error);
  }
}

function unsafe(facts: { mode: number; uid: number; size: number }, regular: boolean): string | undefined {
  if (!regular) return 'is not a regular file';
  if (facts.uid !== 0 && facts.uid !== process.geteuid?.()) return `is owned by user ${facts.uid}, not by root`;
  if ((facts.mode & 0o022) !== 0) return 'can be written by its group or by everybody';
  if (facts.size === 0) return 'is empty';
  if (facts.size > LIMITS.keyFile) return `is larger than ${LIMITS.keyFile} bytes`;
  return undefined;
}

async function readWhole(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  const { bytesRead } = await file.read(bytes, 0, size, 0);
  return bytes.subarray(0, bytesRead);
}

function keyFile(key: TrustedKey, problem: string, cause?: unknown): UpdaterError {
  return new UpdaterError('TRUST_KEY_FILE', `the trusted key file ${key.file} ${problem}`, {
    remedy: `Get the key from the publisher again, compare its fingerprint with ${key.fingerprint}, and install it with \`install -o root -g root -m 0644\`.`,
    cause,
  });
}
