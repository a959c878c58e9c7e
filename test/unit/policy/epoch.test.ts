import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataFormat } from '../../../src/manifest.ts';
import { crossing } from '../../../src/policy/epoch.ts';

const of = (epoch: number, rollback: DataFormat['rollback']): DataFormat => ({ epoch, rollback });
const format = fc.record({
  epoch: fc.integer({ min: 0, max: 3 }),
  rollback: fc.constantFrom<DataFormat['rollback'][]>('safe', 'restore-data', 'never'),
});

describe('the data of a node', () => {
  it('is crossed when the newer release raises the epoch, unless it says that the older understands it [S2.40]', () => {
    expect(crossing(of(1, 'safe'), of(2, 'restore-data'))).toBe('forward');
    expect(crossing(of(1, 'safe'), of(2, 'never'))).toBe('forward');
    expect(crossing(of(1, 'restore-data'), of(2, 'safe'))).toBeUndefined();
    expect(crossing(of(2, 'restore-data'), of(2, 'restore-data'))).toBeUndefined();
    expect(crossing(undefined, of(2, 'never'))).toBeUndefined();
  });

  it('cannot be gone back over where it could not be gone forward over, whichever two releases they are', () => {
    fc.assert(
      fc.property(format, format, (a, b) => {
        const there = crossing(a, b);
        const back = crossing(b, a);
        expect([there, back].sort()).toEqual(there === undefined ? [undefined, undefined] : ['back', 'forward']);
        if (there !== undefined) expect(a.epoch).not.toBe(b.epoch);
      }),
    );
  });
});
