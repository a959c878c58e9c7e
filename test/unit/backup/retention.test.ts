import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expired } from '../../../src/backup/retention.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-21T00:00:00Z');
const aged = (days: number, bytes = 10) => ({ id: `b${days}`, at: new Date(NOW - days * DAY).toISOString(), bytes });
const three = [aged(1), aged(2), aged(3)];

describe('retention', () => {
  it.each([
    { name: 'count', limits: { keep: 2 }, gone: ['b3'] },
    { name: 'age', limits: { keep: 9, keepAge: 1.5 * DAY }, gone: ['b3'] },
    { name: 'size', limits: { keep: 9, keepSize: 25 }, gone: ['b3'] },
    { name: 'nothing', limits: { keep: 3 }, gone: [] },
  ])('by $name', ({ limits, gone }) => {
    expect(expired(three, limits, [], NOW)).toEqual(gone);
  });

  it('by age takes one for each that comes, so a clock that is ten years ahead does not take all', () => {
    const later = NOW + 3650 * DAY;
    const made = { id: 'new', at: new Date(later).toISOString(), bytes: 10 };
    expect(expired([made, ...three], { keep: 9, keepAge: 30 * DAY }, [], later)).toEqual(['b3']);
  });

  it('takes what is too old in the end, one at a time', () => {
    let left = three;
    for (const next of ['b3', 'b2', undefined]) {
      const gone = expired(left, { keep: 9, keepAge: DAY / 2 }, [], NOW);
      expect(gone).toEqual(next === undefined ? [] : [next]);
      left = left.filter(({ id }) => !gone.includes(id));
    }
  });

  it('never takes the newest, nor one that is needed, whatever the limits', () => {
    const backups = fc.array(fc.record({ days: fc.nat(1000), bytes: fc.nat(1000) }), { maxLength: 20 });
    const limits = fc.record({ keep: fc.nat(5), keepAge: fc.nat(500 * DAY), keepSize: fc.nat(5000) });
    fc.assert(
      fc.property(backups, limits, fc.array(fc.nat(19)), (made, limit, picks) => {
        const sorted = made
          .sort((a, b) => a.days - b.days)
          .map(({ days, bytes }, at) => ({ ...aged(days, bytes), id: `b${at}` }));
        const needed = picks.flatMap((pick) => sorted[pick]?.id ?? []);
        const gone = expired(sorted, limit, needed, NOW);
        const kept = sorted.filter(({ id }) => !gone.includes(id));
        expect(gone).not.toContain('b0');
        for (const id of needed) expect(gone).not.toContain(id);
        const free = kept.filter(({ id }) => id !== 'b0' && !needed.includes(id));
        expect(free.length).toBeLessThanOrEqual(Math.max(limit.keep, 1));
        const total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
        if (free.length > 0) expect(total).toBeLessThanOrEqual(limit.keepSize);
      }),
    );
  });
});
