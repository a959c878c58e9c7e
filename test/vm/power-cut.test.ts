/**
 * The power of a whole machine is cut, by killing QEMU, while the timer's run upgrades its node. `npm run test:vm` makes 25
 * cuts; a factor of NODE_UPDATER_TEST_CASES makes more or fewer.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cases } from '../rig/cases.ts';
import { drawFrom } from '../rig/power/cuts.ts';
import { observe, type Observation } from '../rig/proof/observe.ts';
import { cutAt, keepBeforeArm, problemsOfSecondTry, problemsOnceSettled, type Moment } from '../rig/vm/cut.ts';
import type { Offer } from '../rig/vm/prepared.ts';
import { makeVm, type Kept, type Vm } from '../rig/vm/vm.ts';

const CUTS = cases(1);
const draw = drawFrom(20_261_121);

/** Where cuts are aimed, the most telling first; each falls some time after its record. */
const AIMS: Readonly<Record<Offer, readonly Moment['at'][]>> = {
  good: [
    ...(['intent soak', 'result soak', 'result activate', 'intent clean', 'the timer', 'intent start'] as const),
    ...(['intent commit', 'result arm', 'result start', 'intent arm', 'the timer', 'intent activate'] as const),
    ...(['result commit', 'intent preflight', 'intent prune', 'ended'] as const),
  ],
  bad: [
    ...(['intent soak', 'intent settle', 'result soak', 'intent start', 'the timer'] as const),
    ...(['intent gate-old', 'result start', 'intent arm', 'ended'] as const),
  ],
};

/** Longest time from the record to the cut, in milliseconds. The timer's run needs a minute to its first effect. */
const spanOf = (at: Moment['at']): number => (at === 'the timer' ? 45_000 : 1500);

function momentsOf(what: Offer, count: number): Moment[] {
  return Array.from({ length: count }, (_, nth) => {
    const at = AIMS[what][nth % AIMS[what].length] ?? 'intent soak';
    return { offer: what, at, then: Math.round(draw() * spanOf(at)) };
  });
}

let vm: Vm;
let before: Observation;
beforeAll(async () => {
  vm = await makeVm();
  await vm.resume();
  before = await observe({ host: vm });
});
afterAll(() => vm[Symbol.asyncDispose]());

async function cutAll(moments: readonly Moment[], kept: Kept): Promise<string[]> {
  const found: string[] = [];
  const known = before.ledger.split('\n').length - 1;
  for (const [nth, moment] of moments.entries()) {
    // Settling takes as long as all the rest; the last one is always settled, for what comes after it.
    const settled = nth % 3 === 0 || nth === moments.length - 1;
    const settle = (cut: Vm): Promise<string[]> => (settled ? problemsOnceSettled(cut, before) : Promise.resolve([]));
    const { hit, problems, seconds } = await cutAt(moment, vm, known, kept, settle);
    const what = `${moment.offer}, ${moment.then} ms after ${moment.at}: ${hit}`;
    console.log(`${what}${settled ? ', settled' : ''}; ${problems.length} violations, ${seconds.toFixed(0)} s`);
    found.push(...problems.map((problem) => `${what}: ${problem}`));
  }
  return found;
}

describe.each([
  { what: 'good', count: Math.ceil(CUTS * 0.64), end: 'takes it' },
  { what: 'bad', count: Math.floor(CUTS * 0.36), end: 'ends with the version before, and the bad one in quarantine' },
] as const)('a machine whose power is cut while it upgrades to a version that is $what', ({ what, count, end }) => {
  it.runIf(count > 0)(
    `boots a committed version without a person; the timer's next run settles the rest, and the one after ${end} [F079][S1.20]`,
    async () => {
      const kept = await keepBeforeArm(vm, what);
      expect(await cutAll(momentsOf(what, count), kept)).toEqual([]);
      expect(await problemsOfSecondTry(what, vm, before)).toEqual([]);
    },
    7_200_000,
  );
});
