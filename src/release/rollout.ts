/**
 * How many hosts a release is offered to: the cursor of the rollout, in the arithmetic of the Storj network, so that one
 * publisher serves both. Known departure: a small cursor is padded on the left here, as HMAC values are compared; Storj's
 * server puts its few bytes in front, and 0.1 % acts as 25.6 %.
 */
import { randomBytes } from 'node:crypto';
import type { Manifest, Rollout } from '../manifest.ts';
import type { Version } from '../release.ts';
import { refusePublication } from './refuse.ts';

export const NOBODY = '00'.repeat(32);
export const EVERYBODY = 'ff'.repeat(32);

const LARGEST = 2n ** 256n - 1n;
const PER_PERCENT = 10_000;
const STEPS = 1_000_000n;

/** 64 lower-case hex digits for `percent` of all hosts, in steps of a ten-thousandth of a percent. */
export function cursorOf(percent: number): string {
  if (percent <= 0) return NOBODY;
  if (percent >= 100) return EVERYBODY;
  const cursor = (LARGEST / STEPS) * BigInt(Math.trunc(percent * PER_PERCENT));
  return cursor.toString(16).padStart(64, '0');
}

/** The share of all hosts that a cursor reaches, for people: rounded to a ten-thousandth of a percent. */
export function percentOf(cursor: string): number {
  const steps = (BigInt(`0x${cursor}`) * STEPS + LARGEST / 2n) / LARGEST;
  return Number(steps) / PER_PERCENT;
}

/** What is asked of a rollout. `phases`: percentages that rise, of which the next is taken. */
export type RolloutWish =
  | { readonly kind: 'percent'; readonly percent: number; readonly seed?: string | undefined }
  | { readonly kind: 'cursor'; readonly cursor: string; readonly seed?: string | undefined }
  | {
      readonly kind: 'phases';
      readonly phases: readonly number[];
      /** Milliseconds that the last publication must be old. */
      readonly every: number;
      readonly seed?: string | undefined;
    };

/** Undefined: there is nothing to do, for the reason given. */
export type RolloutStep = { readonly rollout: Rollout } | { readonly rollout: undefined; readonly why: string };

/**
 * The rollout of `version` after one step. The seed stays while the version does, so that who was reached stays reached; a new
 * version draws a new one, so that it is not always the same hosts that go first. Throws RELEASE_REFUSED for another seed.
 */
export function nextStep(
  previous: Manifest | undefined,
  version: Version,
  wish: RolloutWish,
  now: number,
): RolloutStep {
  const running = previous?.rollout?.version === version ? previous.rollout : undefined;
  if (running !== undefined && wish.seed !== undefined && wish.seed !== running.seed) {
    throw refusePublication(
      `the rollout of ${version} has begun with another seed`,
      'Leave --seed out: with another one, hosts that were reached would not be any more.',
    );
  }
  const seed = running?.seed ?? wish.seed ?? randomBytes(32).toString('hex');
  if (wish.kind === 'percent') return { rollout: { version, seed, cursor: cursorOf(wish.percent) } };
  if (wish.kind === 'cursor') return { rollout: { version, seed, cursor: wish.cursor } };
  // A version that is suggested without a rollout is offered to everybody already.
  const offeredToAll = running === undefined && previous?.suggested === version;
  const reached = running?.cursor ?? (offeredToAll ? EVERYBODY : undefined);
  const phase = wish.phases.map(cursorOf).find((cursor) => reached === undefined || cursor > reached);
  if (phase === undefined) return { rollout: undefined, why: `the rollout of ${version} is through its last phase` };
  if (running?.cursor === NOBODY) {
    return { rollout: undefined, why: `the rollout of ${version} is halted; go on with --percent` };
  }
  const next = (previous?.published ?? 0) + wish.every;
  if (running !== undefined && now < next) {
    return { rollout: undefined, why: `the next phase of ${version} begins at ${new Date(next).toISOString()}` };
  }
  return { rollout: { version, seed, cursor: phase } };
}

/** `halt`: nobody more is reached. Who has the version keeps it. */
export function halted(previous: Manifest): Rollout {
  const { rollout, suggested: version } = previous;
  const seed = rollout?.version === version ? rollout.seed : randomBytes(32).toString('hex');
  return { version, seed, cursor: NOBODY };
}
