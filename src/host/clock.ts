import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from './ports.ts';

/** setTimeout takes no more, and fires at once when given more. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** This host's clocks. Throws when /proc is not mounted: without the boot's id no soak can be counted. */
export function hostClock(): Clock {
  return {
    now: () => Date.now(),
    // Node reads CLOCK_MONOTONIC for this on Linux, the clock of systemd's *Monotonic properties (a container test compares them).
    monotonic: () => process.hrtime.bigint() / 1000n,
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
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
