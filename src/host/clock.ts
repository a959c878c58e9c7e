import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from './ports.ts';

/** setTimeout takes no more, and fires at once when given more. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * This host's clocks. `bootId`, where somebody who knows gives it, is believed: a unit with a /proc of its own sees the
 * kernel's, which in a container is not the one that everybody else there sees. It is read only when it is asked for.
 */
export function hostClock(bootId?: string): Clock {
  return {
    now: () => Date.now(),
    // Node reads CLOCK_MONOTONIC for this on Linux, the clock of systemd's *Monotonic properties (a container test compares them).
    monotonic: () => process.hrtime.bigint() / 1000n,
    get bootId() {
      // systemd writes it without dashes (%b).
      return (bootId ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()).replaceAll('-', '');
    },
    wait,
  };
}

async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  try {
    for (let left = ms; left > 0; left -= LONGEST_TIMER) {
      await sleep(Math.min(left, LONGEST_TIMER), undefined, signal === undefined ? {} : { signal });
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
