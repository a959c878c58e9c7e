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
    { name: 'age', limits: { keep: 9, keepAge: 1.5 * DAY }, gone: ['b2', 'b3'] },
    { name: 'size', limits: { keep: 9, keepSize: 25 }, gone: ['b3'] },
    { name: 'nothing', limits: { keep: 3 }, gone: [] },
  ])('by $name', ({ limits, gone }) => {
    expect(expired(three, limits, [], NOW)).toEqual(gone);
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
        for (const { at } of free) expect(NOW - Date.parse(at)).toBeLessThanOrEqual(limit.keepAge);
      }),
    );
  });
});
