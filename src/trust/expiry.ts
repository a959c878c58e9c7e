/** What goes out of date soon, told before it stops anything. Pure. */
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { KeyFacts } from './openpgp.ts';

/** Times in milliseconds since the epoch. */
export interface Lifetimes {
  readonly manifest: { readonly published: number; readonly expires: number };
  /** The key set that counts; without `expires` it is the operator's own keys. */
  readonly set: { readonly number: number; readonly threshold: number; readonly expires?: number };
  readonly keys: readonly KeyFacts[];
}

/** A warning each, TRUST_EXPIRES_SOON; empty when nothing ends soon. Messages name dates, so that they stay the same. */
export function expiryWarnings({ manifest, set, keys }: Lifetimes, now: number): readonly UpdaterError[] {
  const { warnManifest, warnKeys } = LIMITS;
  // A publisher that signs anew every week lets two days remain as a rule.
  const early = Math.min(warnManifest, (manifest.expires - manifest.published) / 4);
  return [
    ...(manifest.expires - now <= early ? [manifestEnds(manifest.expires)] : []),
    ...(set.expires !== undefined && set.expires - now <= warnKeys ? [setEnds(set.number, set.expires)] : []),
    ...keys.flatMap((key) => keyEnds(key, now)),
    ...fewLeft(keys, set.threshold),
  ];
}

function manifestEnds(expires: number): UpdaterError {
  return soon(
    `the publisher's statement of what is on offer expires on ${iso(expires)}`,
    'The publisher must sign a new one. From then on no update is taken, while the node keeps running.',
  );
}

function setEnds(number: number, expires: number): UpdaterError {
  return soon(
    `key set ${number} expires on ${iso(expires)}`,
    `The publisher must publish key set ${number + 1}. From then on no update is taken, while the node keeps running.`,
  );
}

function keyEnds({ fingerprint, state, problem, expires }: KeyFacts, now: number): UpdaterError[] {
  if (state !== 'good') {
    const message = `the trusted key ${fingerprint} ${problem ?? 'does not count'}`;
    return [soon(message, 'Its signatures do not count. Replace it: node-updater keys add, node-updater keys remove.')];
  }
  if (expires === undefined || expires - now > LIMITS.warnKeys) return [];
  return [
    soon(
      `the trusted key ${fingerprint} expires on ${iso(expires)}`,
      'Ask the publisher for the renewed key, or for the next key set. From then on its signatures do not count.',
    ),
  ];
}

function fewLeft(keys: readonly KeyFacts[], threshold: number): UpdaterError[] {
  const good = keys.filter(({ state }) => state === 'good').length;
  if (good >= threshold) return [];
  return [
    soon(
      `${threshold} signatures are needed, and only ${good} of ${keys.length} trusted keys can still make one`,
      'No update can be verified. Get new keys from the publisher by a second way: node-updater keys add.',
    ),
  ];
}

function soon(message: string, remedy: string): UpdaterError {
  return new UpdaterError('TRUST_EXPIRES_SOON', message, { remedy });
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
