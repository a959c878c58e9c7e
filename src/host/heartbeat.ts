import type { Notify } from './notify.ts';
import type { Clock, Heartbeat } from './ports.ts';

/** Between two messages to systemd at least so long, in milliseconds: each costs a process. */
const STATUS_PAUSE = 2_000;
/** Beats in the time that one of them buys. */
const BEATS = 4;
const DURING = 1_000;

/**
 * The heartbeat of our unit: each beat asks systemd for `timeout` milliseconds more. Call sites may beat as often as
 * they like; what reaches systemd is bounded.
 */
export function makeHeartbeat(notify: Notify, timeout: number, clock: Pick<Clock, 'monotonic'>): Heartbeat {
  const beat = atMostEvery(timeout / BEATS, clock, () => notify.heartbeat(timeout));
  const show = atMostEvery<[string]>(STATUS_PAUSE, clock, (text) => notify.status(text));
  return {
    beat,
    status(text) {
      beat();
      show(text);
    },
    async during(waited) {
      const timer = setInterval(beat, Math.min(DURING, timeout / BEATS));
      beat();
      try {
        return await waited;
      } finally {
        clearInterval(timer);
      }
    },
  };
}

function atMostEvery<Args extends readonly unknown[]>(
  pause: number,
  clock: Pick<Clock, 'monotonic'>,
  send: (...args: Args) => Promise<void>,
): (...args: Args) => void {
  let last: bigint | undefined;
  return (...args) => {
    const now = clock.monotonic();
    if (last !== undefined && now - last < BigInt(Math.round(pause * 1000))) return;
    last = now;
    // Notify answers with a warning where it cannot be heard; it never rejects.
    void send(...args);
  };
}
