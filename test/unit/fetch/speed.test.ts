import { expect, it } from 'vitest';
import { createSpeedMeter } from '../../../src/fetch/speed.ts';

const second = 1_000_000n;

it('a server below the minimum is too slow once the window is over, not before [S1.11] [F005]', () => {
  const meter = createSpeedMeter({ minimumSpeed: 1024, slowWindow: 60_000 });
  expect(Array.from({ length: 59 }, () => meter.isTooSlow(5, second))).not.toContain(true);
  expect(meter.isTooSlow(5, second)).toBe(true);
});

it('a server at the minimum is never too slow [F005]', () => {
  const meter = createSpeedMeter({ minimumSpeed: 1024, slowWindow: 60_000 });
  expect(Array.from({ length: 600 }, () => meter.isTooSlow(1024, second))).not.toContain(true);
});

it('a good start does not excuse a slow window after it [F005]', () => {
  const meter = createSpeedMeter({ minimumSpeed: 1024, slowWindow: 10_000 });
  expect(meter.isTooSlow(1e9, 10n * second)).toBe(false);
  expect(meter.isTooSlow(10, 10n * second)).toBe(true);
});

it('time that nobody waited for the server does not count', () => {
  const meter = createSpeedMeter({ minimumSpeed: 1024, slowWindow: 1_000 });
  expect(Array.from({ length: 1000 }, () => meter.isTooSlow(1, 0n))).not.toContain(true);
});
