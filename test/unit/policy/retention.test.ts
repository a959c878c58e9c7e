import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prunable } from '../../../src/policy/retention.ts';
import { parseVersion, type Version } from '../../../src/release.ts';

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const versions = (...texts: string[]): Version[] => texts.map(version);
const some = fc.uniqueArray(fc.integer({ min: 1, max: 12 }).map((n) => version(`${n}.0.0`)));

describe('retention', () => {
  it('takes first what was never committed here, then what was committed longest ago', () => {
    const staged = versions('1.0.0', '2.0.0', '3.0.0', '4.0.0', '5.0.0');
    const committed = versions('5.0.0', '4.0.0', '1.0.0', '2.0.0');
    const needed = new Set(versions('5.0.0', '4.0.0'));
    expect(prunable({ staged, needed, committed, keep: 3 })).toEqual(versions('3.0.0', '2.0.0'));
    expect(prunable({ staged, needed, committed, keep: 2 })).toEqual(versions('3.0.0', '2.0.0', '1.0.0'));
    expect(prunable({ staged, needed, committed, keep: 5 })).toEqual([]);
  });

  it('never takes what is needed, never more than is too many, and nothing that is not staged [S1.21][F114]', () => {
    fc.assert(
      fc.property(some, some, some, fc.integer({ min: 2, max: 5 }), (staged, needed, committed, keep) => {
        const gone = prunable({ staged, needed: new Set(needed), committed, keep });
        expect(gone.filter((one) => needed.includes(one) || !staged.includes(one))).toEqual([]);
        expect(gone.length).toBeLessThanOrEqual(Math.max(0, staged.length - keep));
        const stay = staged.filter((one) => !gone.includes(one));
        if (stay.length > keep) expect(stay.every((one) => needed.includes(one))).toBe(true);
      }),
    );
  });
});
