/** How far a release is offered, as options of `publish` and `rollout`. */
import type { RolloutWish } from '../../release/rollout.ts';
import { durationOf, text, usage } from './command.ts';
import type { Spec } from './command.ts';

export const ROLLOUT = {
  percent: { ...text, conflicts: ['cursor', 'phases'], describe: 'Offer it to so many hosts, 0 to 100' },
  cursor: { ...text, conflicts: 'phases', describe: 'The same as 64 hex digits, as Storj has it' },
  phases: { ...text, describe: 'Offer it to the next of these percentages: 1,5,25,50,100' },
  every: { ...text, implies: 'phases', describe: 'How old a phase must be before the next' },
  seed: { ...text, describe: 'Which hosts go first: 64 hex digits, drawn unless given' },
} as const satisfies Spec;

export type RolloutArgs = Readonly<Record<keyof typeof ROLLOUT, string | undefined>>;

/** Undefined when nothing was said of a rollout. Throws USAGE_INVALID. */
export function rolloutWish(args: RolloutArgs): RolloutWish | undefined {
  const seed = args.seed === undefined ? undefined : hexOf('--seed', args.seed);
  if (args.percent !== undefined) return { kind: 'percent', percent: percentFrom('--percent', args.percent), seed };
  if (args.cursor !== undefined) return { kind: 'cursor', cursor: hexOf('--cursor', args.cursor), seed };
  if (args.phases !== undefined) {
    const every = args.every === undefined ? 0 : durationOf('--every', args.every);
    return { kind: 'phases', phases: phasesOf(args.phases), every, seed };
  }
  if (seed === undefined) return undefined;
  throw usage('--seed belongs to --percent, --cursor or --phases');
}

function phasesOf(given: string): readonly number[] {
  const phases = given.split(',').map((each) => percentFrom('--phases', each.trim()));
  if (phases.every((each, at) => at === 0 || each > (phases[at - 1] ?? 0))) return phases;
  throw usage('--phases must rise, as 1,5,25,50,100 does');
}

function percentFrom(option: string, given: string): number {
  const percent = /^\d{1,3}(\.\d+)?%?$/.test(given) ? Number.parseFloat(given) : NaN;
  if (percent >= 0 && percent <= 100) return percent;
  throw usage(`${option} ${JSON.stringify(given)} is no percentage from 0 to 100`);
}

function hexOf(option: string, given: string): string {
  if (/^[0-9a-f]{64}$/i.test(given)) return given.toLowerCase();
  throw usage(`${option} takes 64 hex digits`);
}
