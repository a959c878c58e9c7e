/** When to try again within one run, and after how long. Pure; the random number is passed in. */

/** Tries in a row without progress that one URL gets: the first, and three more (F020). */
export const MOST_TRIES = 4;

/** A Retry-After longer than this is left to the next run, which learns of it from the report. */
export const LONGEST_WAIT = 60_000;
/** Retry-After of the report is believed up to this (F019). */
export const LONGEST_RETRY_AFTER = 86_400_000;

const FIRST_WAIT = 1_000;
const LONGEST_BACK_OFF = 30_000;

/**
 * Milliseconds to wait after try number `tries` (1, 2, …), at least what the server asked for. Half of it is random, so
 * that hosts that failed together do not come back together (S1.29). Undefined: not within this run.
 */
export function waitBeforeRetry(tries: number, random: number, retryAfter?: number): number | undefined {
  if (tries >= MOST_TRIES || (retryAfter !== undefined && retryAfter > LONGEST_WAIT)) return undefined;
  const ceiling = Math.min(LONGEST_BACK_OFF, FIRST_WAIT * 2 ** tries);
  return Math.round((retryAfter ?? 0) + ceiling / 2 + (random * ceiling) / 2);
}

/** RFC 9110 10.2.3: seconds or an HTTP date. Milliseconds from `now`, bounded; undefined if it says nothing usable. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER);
}
