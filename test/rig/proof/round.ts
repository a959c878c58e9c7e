/** Strikes of one kind at many points of one situation, and what came of them. */
import { ownShare } from '../cases.ts';
import { describePoint, spread, type Point } from './points.ts';
import type { Situation, Stage } from './stage.ts';
import { strike, type Strikes, type Struck } from './strike.ts';

export interface Round {
  readonly situation: Situation;
  /** The points that may be struck, of those that a run has; `count` of them are. */
  readonly of: (point: Point) => boolean;
  readonly count: number;
  /** Struck in any case: where something was found once. */
  readonly always?: (point: Point) => boolean;
  readonly with: (point: Point, at: number) => Strikes;
  readonly problems: (situation: Situation, struck: Struck) => readonly string[];
}

export interface Found {
  readonly struck: number;
  /** Points that the struck run did not come by: runs differ a little in what they say, and when. */
  readonly missed: readonly Point[];
  /** Each with its point. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

export async function strikeAround(round: Round, points: readonly Point[], stage: Stage): Promise<Found> {
  const { situation, always = () => false } = round;
  const problems: string[] = [];
  const missed: Point[] = [];
  let seconds = 0;
  const fitting = points.filter(round.of);
  const others = fitting.filter((point) => !always(point));
  const chosen = [...fitting.filter(always), ...spread(others, round.count)];
  const own = ownShare(chosen);
  for (const [at, point] of own) {
    const strikes = round.with(point, at);
    const struck = await strike(situation, strikes, stage);
    const what = `${situation}: ${howOf(strikes)} at ${describePoint(point)}`;
    problems.push(...round.problems(situation, struck).map((problem) => `${what}: ${problem}`));
    if (!struck.hit) missed.push(point);
    seconds += struck.seconds;
  }
  return { struck: own.length - missed.length, missed, problems, seconds };
}

function howOf({ first }: Strikes): string {
  return first === 'record' ? 'nothing' : first.how;
}

/** One line for the log of a run. */
export function tellOf(name: string, situation: Situation, { struck, missed, seconds }: Found): string {
  const each = (seconds / Math.max(1, struck + missed.length)).toFixed(1);
  return `${name}, ${situation}: ${struck} points struck, ${missed.length} missed, ${each} s each`;
}
