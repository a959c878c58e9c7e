/**
 * Promises 3 and 9, at every system call of a transaction that changes something (a few, spread over all, in everyday use):
 *
 * - killed: SIGKILL right before or right after it, and a second one in the run that settles. All: `npm run test:kills`
 * - it fails once: EIO, ENOSPC, EROFS, EMFILE in turn; EMFILE into each open for reading. All: `npm run test:faults`
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cases } from '../../rig/cases.ts';
import { problemsOfFault, problemsOfKill } from '../../rig/proof/judge.ts';
import { describePoint, type Point } from '../../rig/proof/points.ts';
import { strikeAround, tellOf, type Found, type Round } from '../../rig/proof/round.ts';
import { makeStage, type Situation, type Stage } from '../../rig/proof/stage.ts';
import { pointsIn, pointsOfSettling, type Strikes } from '../../rig/proof/strike.ts';
import type { Errno } from '../../rig/proof/tracer.ts';

const LONG = 6 * 3_600_000;

const SITUATIONS: readonly { readonly situation: Situation; readonly small: number }[] = [
  { situation: 'upgrade', small: 3 },
  { situation: 'bad upgrade', small: 1 },
  { situation: 'rollback', small: 2 },
  { situation: 'first installation', small: 2 },
];

let stage: Stage;
const known = new Map<Situation, readonly Point[]>();

beforeAll(async () => {
  stage = await makeStage();
  // The first look at a source writes down its manifest, and later ones find it unchanged: points are named by later ones.
  await pointsIn('upgrade', stage);
});
afterAll(() => stage[Symbol.asyncDispose]());

async function pointsOf(situation: Situation): Promise<readonly Point[]> {
  const points = known.get(situation) ?? (await pointsIn(situation, stage));
  known.set(situation, points);
  return points;
}

async function struckAround(name: string, round: Round, points: readonly Point[]): Promise<Found> {
  const found = await strikeAround(round, points, stage);
  console.log(tellOf(name, round.situation, found));
  return found;
}

/** Most of what was aimed at was hit. How often a run tells or asks something is left out: it depends on how long it waits. */
function expectHits({ struck, missed }: Found): void {
  const passed = missed.filter(onDisk);
  expect(passed.length, passed.map(describePoint).join('\n')).toBeLessThanOrEqual(Math.ceil(struck / 5));
}

const changes = ({ effect }: Point): boolean => effect === 'changes';
/** What goes to the bus or into the log is no disk. */
const onDisk = ({ path }: Point): boolean => path !== undefined;
const named = (call: string, path: RegExp) => (point: Point) => point.call === call && path.test(point.path ?? '');

/** Stopped right after a call it can be looked at as it stands; killed instead of it nothing can intervene. */
const killed = (at: Point, turn: number): Strikes => ({
  first: { at, how: turn % 2 === 0 ? 'kill' : 'stop' },
  then: 'settle',
});

const DISK: readonly Errno[] = ['EIO', 'ENOSPC', 'EROFS'];

function failing(at: Point, turn: number): Strikes {
  const fitting: readonly Errno[] =
    at.effect === 'reads' ? ['EMFILE'] : at.call === 'openat' ? [...DISK, 'EMFILE'] : DISK;
  return { first: { at, how: fitting[turn % fitting.length] ?? 'EIO' }, then: 'take up' };
}

describe('a transaction that is killed between any two system calls', () => {
  // A kill there left the record of a version that was not there, and nobody removed it.
  const always = named('rename', /\.staging-RUN\d+$/);

  it.each(SITUATIONS)(
    'leaves a whole node that runs a committed version, and is settled by one more run: $situation [F071][F072]',
    async ({ situation, small }) => {
      const round = { situation, of: changes, count: cases(small), with: killed, problems: problemsOfKill };
      const only = situation === 'upgrade' ? { always } : {};
      const found = await struckAround('kills', { ...round, ...only }, await pointsOf(situation));
      expect(found.problems).toEqual([]);
      expectHits(found);
    },
    LONG,
  );

  it(
    'and whose settling is killed as well is settled by the run after that [F071]',
    async () => {
      const links = (await pointsOf('upgrade')).filter(changesLinks);
      const [first] = links;
      if (first === undefined) throw new Error('an upgrade changed no link');
      const both = (again: Point, turn: number): Strikes => ({
        first: { at: links[turn % links.length] ?? first, how: 'kill' },
        again: { at: again, how: 'kill' },
        then: 'settle',
      });
      const round: Round = {
        situation: 'upgrade',
        of: changes,
        count: cases(2),
        with: both,
        problems: problemsOfKill,
      };
      const found = await struckAround('second kills', round, await pointsOfSettling('upgrade', first, stage));
      expect(found.problems).toEqual([]);
    },
    LONG,
  );
});

const changesLinks = (point: Point): boolean =>
  named('rename', /^\/opt\/demo\/\.current\.RUN/)(point) || named('unlink', /^\/opt\/demo\/fallback$/)(point);

describe('a transaction of which one system call fails once', () => {
  // Errors of these had no name, or a wrong one.
  const always = (point: Point): boolean =>
    point.effect === 'reads' && point.nth === 1 && named('openat', /\/(request|trust)\.json$/)(point);

  it.each(SITUATIONS)(
    'names the disk, blames no version, leaves a node that is up, and the next run takes the release: $situation [F058][F059][F063][F064][F066]',
    async ({ situation, small }) => {
      const round = { situation, of: onDisk, count: cases(small), with: failing, problems: problemsOfFault };
      const only = situation === 'upgrade' ? { always } : {};
      const found = await struckAround('faults', { ...round, ...only }, await pointsOf(situation));
      expect(found.problems).toEqual([]);
      expectHits(found);
    },
    LONG,
  );
});
