/**
 * Whether a correctly signed manifest may be believed here and now: pure, facts in, verdict out.
 *
 * Threat: true signatures on the wrong statement: another product's, an old one (replay, freeze), a second one under the
 * same serial (equivocation), one that would exhaust the serials (fast-forward), or one for a clock that was set back.
 */
import { createHash } from 'node:crypto';
import { UpdaterError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Manifest } from '../manifest.ts';
import type { Digest } from '../release.ts';
import { MAX_CLOCK_SKEW } from './clock.ts';
import type { TrustState } from './state.ts';

export { loadTrustState, saveTrustState } from './state.ts';
export type { TrustState } from './state.ts';

/** A manifest and the exact text that was signed. */
export interface Parsed {
  readonly manifest: Manifest;
  readonly text: string;
}

export interface AcceptanceFacts {
  readonly name: string;
  readonly channel: string;
  /** Milliseconds since the epoch, as is `buildTime`, when this node-updater was built. */
  readonly now: number;
  readonly buildTime: number;
}

/**
 * Returns if the manifest may be believed, `floor` being undefined on first contact. Throws TRUST_WRONG_PRODUCT, TRUST_CLOCK,
 * TRUST_SERIAL, TRUST_EQUIVOCATION, TRUST_SERIAL_JUMP or TRUST_EXPIRED: an answer that a caller forgot to look at must not
 * mean yes.
 */
export function acceptManifest(parsed: Parsed, floor: TrustState | undefined, facts: AcceptanceFacts): void {
  const { manifest, text } = parsed;
  const error =
    wrongProduct(manifest, facts) ??
    wrongClock(manifest, floor, facts) ??
    wrongSerial(manifest, floor, sha256Of(text)) ??
    expired(manifest, facts);
  if (error !== undefined) throw error;
}

/**
 * Throws TRUST_CLOCK when the clock is behind what this host has seen before. Asked before anything is fetched: with such a
 * clock every certificate and every signature looks wrong, and the blame would fall on the server or the publisher.
 */
export function checkClock(floor: TrustState | undefined, facts: Pick<AcceptanceFacts, 'now' | 'buildTime'>): void {
  const error = clockBehind(floor, facts);
  if (error !== undefined) throw error;
}

/** The floor after accepting: neither the serial nor the time ever falls. */
export function nextTrustState({ manifest, text }: Parsed, floor: TrustState | undefined): TrustState {
  const published = Math.max(manifest.published, floor?.published ?? 0);
  if (floor !== undefined && floor.serial > manifest.serial) return { ...floor, published };
  return { schema: 1, serial: manifest.serial, sha256: sha256Of(text), published };
}

function sha256Of(text: string): Digest {
  return createHash('sha256').update(text, 'utf8').digest('hex') as Digest;
}

function wrongProduct(manifest: Manifest, facts: AcceptanceFacts): UpdaterError | undefined {
  if (manifest.name === facts.name && manifest.channel === facts.channel) return undefined;
  return refuse(
    'TRUST_WRONG_PRODUCT',
    `the manifest is for ${manifest.name} (${manifest.channel}), not for ${facts.name} (${facts.channel})`,
    'Compare `name`, `channel` and the URLs in the source section of the node with what the publisher states.',
  );
}

const SET_CLOCK = 'Compare the clock of this host (`timedatectl`) with a trusted one and set it right.';

function clockBehind(
  before: TrustState | undefined,
  { now, buildTime }: Pick<AcceptanceFacts, 'now' | 'buildTime'>,
): UpdaterError | undefined {
  const floor = Math.max(buildTime, before?.published ?? 0);
  if (now >= floor - MAX_CLOCK_SKEW) return undefined;
  return refuse('TRUST_CLOCK', `the clock says ${iso(now)}, but it was at least ${iso(floor)} before`, SET_CLOCK);
}

function wrongClock(
  manifest: Manifest,
  before: TrustState | undefined,
  facts: AcceptanceFacts,
): UpdaterError | undefined {
  const behind = clockBehind(before, facts);
  if (behind !== undefined) return behind;
  if (manifest.published <= facts.now + MAX_CLOCK_SKEW) return undefined;
  const message = `the manifest says that it is published on ${iso(manifest.published)}, but here it is ${iso(facts.now)}`;
  return refuse('TRUST_CLOCK', message, SET_CLOCK);
}

function wrongSerial(manifest: Manifest, floor: TrustState | undefined, sha256: Digest): UpdaterError | undefined {
  const { serial } = manifest;
  if (floor === undefined) {
    if (serial <= LIMITS.firstSerial) return undefined;
    return jump(`the serial ${serial} of this first manifest leaves no room for higher ones`);
  }
  const attack =
    'A mirror may be stale or hostile; it is tried again at the next run. If it lasts, tell the publisher.';
  if (serial < floor.serial) {
    return refuse('TRUST_SERIAL', `the manifest has serial ${serial}, but ${floor.serial} was seen before`, attack);
  }
  if (serial === floor.serial && sha256 !== floor.sha256) {
    const message = `two different manifests carry serial ${serial}: ${floor.sha256} before, ${sha256} now`;
    return refuse('TRUST_EQUIVOCATION', message, ONE_OF_TWO);
  }
  if (serial - floor.serial <= LIMITS.serialsAtOnce) return undefined;
  return jump(`the serial jumps from ${floor.serial} to ${serial}, by more than ${LIMITS.serialsAtOnce}`);
}

const ONE_OF_TWO = 'Tell the publisher both digests: one of the two was not meant for you.';

function jump(message: string): UpdaterError {
  return refuse('TRUST_SERIAL_JUMP', message, 'Tell the publisher: a serial must rise in small steps.');
}

function expired(manifest: Manifest, facts: AcceptanceFacts): UpdaterError | undefined {
  if (facts.now < manifest.expires) return undefined;
  return refuse(
    'TRUST_EXPIRED',
    `the manifest expired on ${iso(manifest.expires)}, and here it is ${iso(facts.now)}`,
    'The publisher must sign again, or somebody holds back newer manifests: try another mirror. Or the clock of this host ' +
      'is wrong: compare `timedatectl` with a trusted one. The node keeps running.',
  );
}

function refuse(code: ErrorCode, message: string, remedy: string): UpdaterError {
  return new UpdaterError(code, message, { remedy });
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
