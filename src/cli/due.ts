/** Which nodes a run of the timer asks for. Pure. */

export interface DueFacts {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly interval: number;
  /** When the source was last looked at, with or without an answer; undefined: never. */
  readonly looked: number | undefined;
  /** A transaction that has no end yet. */
  readonly open: 'open' | 'settled';
}

export type Due = { readonly due: true; readonly why: string } | { readonly due: false; readonly next: number };

/**
 * The timer has a minute of accuracy and the look happens some seconds after it: an `interval` of an hour that is held to
 * the second would be met by every second run only.
 */
const SLACK_PART = 10;
const MOST_SLACK = 5 * 60_000;

export function isDue({ now, interval, looked, open }: DueFacts): Due {
  if (open === 'open') return { due: true, why: 'a transaction is to be settled' };
  if (looked === undefined) return { due: true, why: 'it was never looked at' };
  // A clock that was set back must not keep a node from its updates.
  if (looked > now) return { due: true, why: 'the last look lies in the future' };
  const next = looked + interval - Math.min(interval / SLACK_PART, MOST_SLACK);
  return now >= next ? { due: true, why: 'its interval has passed' } : { due: false, next };
}
