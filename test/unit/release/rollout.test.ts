import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Manifest, Rollout } from '../../../src/manifest.ts';
import { cohortOf, inRollout } from '../../../src/policy/cohort.ts';
import { parseNodeName } from '../../../src/release.ts';
import type { NodeName } from '../../../src/release.ts';
import { cursorOf, EVERYBODY, halted, nextStep, NOBODY, percentOf } from '../../../src/release/rollout.ts';
import type { RolloutWish } from '../../../src/release/rollout.ts';
import { versionOf } from '../../rig/publisher.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const HOUR = 60 * 60 * 1000;
const SEED = '5e'.repeat(32);
const NEW = versionOf('1.1.0');

/** A manifest as far as a rollout looks at it. */
function published(rollout: Partial<Rollout> | undefined, suggested = NEW): Manifest {
  const full = rollout && { version: NEW, seed: SEED, cursor: NOBODY, ...rollout };
  return { published: NOW, suggested, ...(full && { rollout: full }) } as unknown as Manifest;
}

const phases = (every = 0): RolloutWish => ({ kind: 'phases', phases: [1, 5, 25, 100], every });

describe('cursorOf', () => {
  it.each([
    [6, '0f5c28f5', 'f5c1f960'],
    [12, '1eb851eb', 'eb83f2c0'],
    [25, '3fffffff', 'fffd8f10'],
    [50, '7fffffff', 'fffb1e20'],
  ])('is for %d %% what the Storj network computes', (percent, head, tail) => {
    expect(cursorOf(percent)).toMatch(new RegExp(`^${head}[0-9a-f]{48}${tail}$`));
  });

  it('pads a small share on the left: 0.1 % reaches one host in a thousand, not one in four', () => {
    expect(cursorOf(0.1)).toMatch(/^004189/);
    const node = parseNodeName('demo') as NodeName;
    const places = Array.from({ length: 20_000 }, (_, at) => cohortOf(`machine ${at}`, node));
    const share = (percent: number): number =>
      places.filter((place) => inRollout(place, { seed: SEED, cursor: cursorOf(percent) })).length / places.length;
    expect(share(0.1)).toBeLessThan(0.003);
    expect(share(5)).toBeGreaterThan(0.04);
    expect(share(5)).toBeLessThan(0.06);
  });

  it('never falls while the percentage rises, is 64 digits, and is read back as that percentage', () => {
    const percent = fc.integer({ min: 0, max: 1_000_000 }).map((steps) => steps / 10_000);
    fc.assert(
      fc.property(percent, percent, (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(cursorOf(low)).toMatch(/^[0-9a-f]{64}$/);
        expect(cursorOf(low) <= cursorOf(high)).toBe(true);
        expect(percentOf(cursorOf(a))).toBeCloseTo(a, 3);
      }),
    );
    expect([cursorOf(0), cursorOf(100)]).toEqual([NOBODY, EVERYBODY]);
  });
});

describe('nextStep', () => {
  it('keeps the seed while the version stays, so that who was reached stays reached', () => {
    const wish = { kind: 'percent', percent: 25 } as const;
    expect(nextStep(published({ cursor: cursorOf(5) }), NEW, wish, NOW)).toEqual({
      rollout: { version: NEW, seed: SEED, cursor: cursorOf(25) },
    });
    expect(nextStep(published(undefined), NEW, wish, NOW).rollout?.seed).not.toBe(SEED);
    const other = { ...wish, seed: 'aa'.repeat(32) };
    expect(() => nextStep(published({}), NEW, other, NOW)).toThrow(
      expect.objectContaining({ code: 'RELEASE_REFUSED' }),
    );
  });

  it('takes the next phase, once the one before is old enough, up to the last', () => {
    const begun = nextStep(published(undefined, versionOf('1.0.0')), NEW, phases(HOUR), NOW);
    expect(begun.rollout?.cursor).toBe(cursorOf(1));
    const running = published({ cursor: cursorOf(5) });
    expect(nextStep(running, NEW, phases(HOUR), NOW + HOUR - 1)).toMatchObject({ rollout: undefined });
    expect(nextStep(running, NEW, phases(HOUR), NOW + HOUR).rollout?.cursor).toBe(cursorOf(25));
    const between = published({ cursor: cursorOf(7.5) });
    expect(nextStep(between, NEW, phases(), NOW).rollout?.cursor).toBe(cursorOf(25));
    const last = published({ cursor: EVERYBODY });
    expect(nextStep(last, NEW, phases(), NOW)).toEqual({
      rollout: undefined,
      why: expect.stringContaining('last phase') as string,
    });
  });

  it('never takes back what is offered to all already, and never goes on by itself after a halt', () => {
    expect(nextStep(published(undefined), NEW, phases(), NOW).rollout).toBeUndefined();
    const step = nextStep(published(halted(published({ cursor: cursorOf(5) }))), NEW, phases(), NOW);
    expect(step).toEqual({ rollout: undefined, why: expect.stringContaining('halted') as string });
  });
});

describe('halted', () => {
  it('reaches nobody more, with the seed of the rollout that it stops', () => {
    expect(halted(published({ cursor: cursorOf(25) }))).toEqual({ version: NEW, seed: SEED, cursor: NOBODY });
    expect(halted(published(undefined))).toMatchObject({ version: NEW, cursor: NOBODY });
  });
});
