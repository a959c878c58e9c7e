import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LONGEST_RETRY_AFTER, MOST_TRIES, parseRetryAfter, waitBeforeRetry } from '../../../src/fetch/retry.ts';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the wait before a retry', () => {
  it('lies between half its ceiling and its ceiling, wherever the random number falls [S1.29] [F020]', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MOST_TRIES - 1 }), random, (tries, value) => {
        const wait = waitBeforeRetry(tries, value) ?? NaN;
        const ceiling = 1000 * 2 ** tries;
        return wait >= ceiling / 2 && wait <= ceiling;
      }),
    );
  });

  it('differs between two hosts that failed together [S1.29] [F020]', () => {
    expect(waitBeforeRetry(1, 0.1)).not.toBe(waitBeforeRetry(1, 0.9));
  });

  it('is never less than the server asked for [S1.29] [F019]', () => {
    fc.assert(
      fc.property(
        random,
        fc.integer({ min: 0, max: 60_000 }),
        (value, asked) => (waitBeforeRetry(1, value, asked) ?? -1) >= asked,
      ),
    );
  });

  it('ends with the last try, and with a server that asks for more than a minute', () => {
    expect(waitBeforeRetry(MOST_TRIES, 0)).toBeUndefined();
    expect(waitBeforeRetry(1, 0, 60_001)).toBeUndefined();
  });
});

describe('Retry-After', () => {
  const now = Date.parse('Sat, 21 Nov 2026 10:00:00 GMT');
  it.each([
    { value: '120', ms: 120_000 },
    { value: 'Sat, 21 Nov 2026 10:00:30 GMT', ms: 30_000 },
    { value: 'Sat, 21 Nov 2026 09:00:00 GMT', ms: 0 },
    { value: '999999999', ms: LONGEST_RETRY_AFTER },
    { value: 'soon', ms: undefined },
    { value: undefined, ms: undefined },
  ])('of $value is $ms ms [F019]', ({ value, ms }) => {
    expect(parseRetryAfter(value, now)).toBe(ms);
  });
});
