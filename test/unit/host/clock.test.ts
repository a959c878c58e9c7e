import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hostClock } from '../../../src/host/clock.ts';

/** Perl is on every Debian, and names the clock that it reads. */
function clockMonotonic(): bigint {
  const script = 'use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC); printf "%d", clock_gettime(CLOCK_MONOTONIC) * 1e6';
  return BigInt(execFileSync('perl', ['-e', script], { encoding: 'utf8' }));
}

describe('the clock of the host', () => {
  it('tells CLOCK_MONOTONIC in microseconds [F105]', () => {
    const clock = hostClock();
    const before = clock.monotonic();
    const kernel = clockMonotonic();
    const after = clock.monotonic();
    expect(before <= kernel && kernel <= after).toBe(true);
  });

  it("names the boot by the kernel's id", () => {
    expect(hostClock().bootId).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().replaceAll('-', ''));
  });

  it('waits at least as long as asked', async () => {
    const clock = hostClock();
    const start = clock.monotonic();
    await clock.wait(20);
    expect(clock.monotonic() - start).toBeGreaterThanOrEqual(19_000n);
  });

  it('does not wait for no time, or for less', async () => {
    await hostClock().wait(0);
    await hostClock().wait(-5);
  });

  it("ends a wait with the signal's own reason", async () => {
    const reason = new Error('the operator stopped us');
    const controller = new AbortController();
    const waiting = hostClock().wait(3_600_000, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(hostClock().wait(0, controller.signal)).rejects.toBe(reason);
  });

  it('waits longer than one timer can, instead of not at all', async () => {
    const controller = new AbortController();
    const waiting = hostClock().wait(2 ** 31, controller.signal);
    const first = await Promise.race([
      waiting.then(() => 'fired'),
      hostClock()
        .wait(20)
        .then(() => 'still waiting'),
    ]);
    expect(first).toBe('still waiting');
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
