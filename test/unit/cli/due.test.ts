import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDue } from '../../../src/cli/due.ts';

const HOUR = 3_600_000;
const settled = { open: 'settled' } as const;

describe('isDue', () => {
  const rows = [
    { name: 'was never looked at', facts: { now: HOUR, interval: HOUR, looked: undefined, ...settled }, due: true },
    {
      name: 'was looked at just now',
      facts: { now: HOUR + 60_000, interval: HOUR, looked: HOUR, ...settled },
      due: false,
    },
    {
      name: 'was looked at an interval ago',
      facts: { now: 2 * HOUR, interval: HOUR, looked: HOUR, ...settled },
      due: true,
    },
    {
      name: 'is met by the timer a minute early',
      facts: { now: 2 * HOUR - 60_000, interval: HOUR, looked: HOUR, ...settled },
      due: true,
    },
    {
      name: 'has a day of interval and an hour behind it',
      facts: { now: 2 * HOUR, interval: 24 * HOUR, looked: HOUR, ...settled },
      due: false,
    },
    {
      name: 'has a day of interval, of which ten minutes are left',
      facts: { now: 25 * HOUR - 600_000, interval: 24 * HOUR, looked: HOUR, ...settled },
      due: false,
    },
    {
      name: 'has a last look in the future',
      facts: { now: HOUR, interval: HOUR, looked: 9 * HOUR, ...settled },
      due: true,
    },
    {
      name: 'has an open transaction',
      facts: { now: HOUR + 1, interval: HOUR, looked: HOUR, open: 'open' } as const,
      due: true,
    },
  ];
  it.each(rows)('a node that $name: due $due [S1.49]', ({ facts, due }) => {
    expect(isDue(facts).due).toBe(due);
  });

  it('is never met by fewer than every run of an hourly timer, however late each look comes [S1.49]', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 0, max: 60_000 }), (jitter, delay) => {
        const looked = jitter + delay;
        return isDue({ now: HOUR, interval: HOUR, looked, ...settled }).due;
      }),
    );
  });
});
