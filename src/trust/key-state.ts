/**
 * How far this host has walked: `keys.json`, readable by all. The operator's keys.d is the root of the walk and has the last
 * word: what was walked from other keys than those that the operator trusts now does not count, and the walk begins again.
 *
 * Threat: a state that forgets makes an old, perhaps stolen, threshold good again. So it is written in one rename, holds the
 * exact text of the newest set, and damaged is never taken for missing.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import { parseDigest } from '../release.ts';
import type { Digest } from '../release.ts';
import type { TrustSettings } from '../settings.ts';
import { isRevoked } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { certificatesOf, parseKeySet } from './key-set.ts';
import type { KeySet } from './key-set.ts';
import type { Successor, TrustedSet } from './rotation.ts';

export interface KeyState {
  readonly schema: 1;
  /** What the walk began with: `rootOf` the operator's trust settings. */
  readonly root: Digest;
  /** The text of the newest key set that followed, as it was signed. */
  readonly text: string;
  /** Each set walked through, the newest last. */
  readonly steps: readonly KeyStep[];
}

export interface KeyStep {
  readonly number: number;
  /** Of the set's text. */
  readonly sha256: Digest;
  /** When this host took it, in milliseconds since the epoch. */
  readonly taken: number;
}

/** Stands for the operator's decision: which keys, how many of them, and which key set they are. */
export function rootOf({ keySet, keys, threshold }: TrustSettings): Digest {
  const fingerprints = keys.map(({ fingerprint }) => fingerprint).sort();
  return sha256Of(JSON.stringify([keySet, threshold, fingerprints]));
}

/** The newest set, if it was walked to from what the operator trusts now; undefined when the operator's own keys count. */
export function walkedSet(state: KeyState | undefined, trust: TrustSettings): KeySet | undefined {
  return state?.root === rootOf(trust) ? parseKeySet(state.text) : undefined;
}

/** Which keys count now. A key that the operator knows to be revoked stays so, whatever a key set has of it. */
export function trustedSet(
  state: KeyState | undefined,
  trust: TrustSettings,
  operators: readonly Certificate[],
): TrustedSet {
  const set = walkedSet(state, trust);
  if (set === undefined) return { number: trust.keySet, threshold: trust.threshold, keys: operators };
  const revoked = new Map(operators.filter(isRevoked).map((key) => [key.fingerprint, key]));
  const keys = certificatesOf(set).map((key) => revoked.get(key.fingerprint) ?? key);
  return { number: set.number, threshold: set.threshold, keys, expires: set.expires };
}

/** The state after a step. */
export function nextKeyState(
  { set, text }: Successor,
  before: KeyState | undefined,
  trust: TrustSettings,
  now: number,
): KeyState {
  const root = rootOf(trust);
  const sha256 = sha256Of(text);
  const steps = before?.root === root ? before.steps : [];
  return { schema: 1, root, text, steps: [...steps, { number: set.number, sha256, taken: now }] };
}

/** Undefined before the first step. Throws HOST_STATE when the file holds no such state, DISK_ when it cannot be read. */
export async function loadKeyState(path: string): Promise<KeyState | undefined> {
  try {
    return parseKeyState(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const errno = error instanceof UpdaterError ? undefined : errnoOf(error);
    if (errno === 'ENOENT') return undefined;
    if (errno !== undefined) throw diskError(error, 'read', path);
    throw new UpdaterError('HOST_STATE', `what is known of key sets, ${path}, cannot be read`, {
      remedy: `Restore ${path} from a backup. Removing it makes this host walk again from the keys in keys.d: do so only if you trust all of them still.`,
      cause: error,
    });
  }
}

export async function saveKeyState(path: string, state: KeyState, files: Files): Promise<void> {
  await files.replace(path, `${JSON.stringify(state)}\n`, 0o644);
}

function sha256Of(text: string): Digest {
  return createHash('sha256').update(text, 'utf8').digest('hex') as Digest;
}

function parseKeyState(value: unknown): KeyState {
  const { schema, root, text, steps } = (value ?? {}) as Partial<Record<keyof KeyState, unknown>>;
  const digest = typeof root === 'string' ? parseDigest(root) : undefined;
  if (schema !== 1) throw new Error(`its schema is ${String(schema)}, not 1`);
  if (digest === undefined) throw new Error('`root` is no digest');
  if (typeof text !== 'string') throw new Error('`text` is no text');
  if (!Array.isArray(steps) || !steps.every(isStep)) throw new Error('`steps` is no list of steps');
  const last = steps.at(-1);
  if (last?.sha256 !== sha256Of(text) || last.number !== parseKeySet(text).number) {
    throw new Error('its last step is not the set that it holds');
  }
  return { schema, root: digest, text, steps };
}

function isStep(value: unknown): value is KeyStep {
  const { number, sha256, taken } = (value ?? {}) as Partial<Record<keyof KeyStep, unknown>>;
  const digest = typeof sha256 === 'string' ? parseDigest(sha256) : undefined;
  return Number.isSafeInteger(number) && Number.isSafeInteger(taken) && digest !== undefined;
}
