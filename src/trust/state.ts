/** The trust state on disk: `trust.json`, readable by all. Missing is first contact; damaged is never taken for missing. */
import { readFile } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import { parseDigest } from '../release.ts';
import type { Digest } from '../release.ts';

/** What must never be forgotten of the highest manifest that was accepted. */
export interface TrustState {
  readonly schema: 1;
  readonly serial: number;
  /** Of the manifest's text as UTF-8. */
  readonly sha256: Digest;
  /** Milliseconds since the epoch. Never falls: the clock of this host was at least this once. */
  readonly published: number;
}

/** Undefined on first contact. Throws HOST_STATE when the file does not hold a trust state, DISK_ when it cannot be read. */
export async function loadTrustState(path: string): Promise<TrustState | undefined> {
  try {
    return parseTrustState(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return undefined;
    if (errno !== undefined) throw diskError(error, 'read', path);
    throw new UpdaterError('HOST_STATE', `the trust state ${path} cannot be read`, {
      remedy: `Restore ${path} from a backup. Removing it makes this host believe an old manifest again: do so only if you know that the next one is the newest.`,
      cause: error,
    });
  }
}

export async function saveTrustState(path: string, state: TrustState, files: Files): Promise<void> {
  await files.replace(path, `${JSON.stringify(state)}\n`, 0o644);
}

function parseTrustState(value: unknown): TrustState {
  const { schema, serial, sha256, published } = (value ?? {}) as Partial<Record<keyof TrustState, unknown>>;
  const digest = typeof sha256 === 'string' ? parseDigest(sha256) : undefined;
  if (schema !== 1) throw new Error(`its schema is ${String(schema)}, not 1`);
  if (digest === undefined) throw new Error('`sha256` is no digest');
  if (!isTimeOrSerial(serial)) throw new Error('`serial` is no serial');
  if (!isTimeOrSerial(published)) throw new Error('`published` is no time');
  return { schema, serial, sha256: digest, published };
}

function isTimeOrSerial(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
