/** One strike: a run is begun, struck at a point, and left to systemd; then the invariants are asked. */
import type { Entry } from '../../../src/machine/record.ts';
import { parseLedger } from '../../../src/machine/ledger.ts';
import { violations, violationsAtOnce } from './invariants.ts';
import { observe, type Observation } from './observe.ts';
import { pointsOf, type Point } from './points.ts';
import type { Prepared, Situation, Stage } from './stage.ts';
import type { Strike, TracedRun } from './tracer.ts';

export interface Struck {
  readonly hit: boolean;
  /** Empty when all is as it must be. */
  readonly violations: readonly string[];
  /** What the ledger got since the strike began. */
  readonly entries: readonly Entry[];
  /** What the transaction unit wrote to the journal. */
  readonly said: string;
  readonly versions: Prepared['versions'];
  readonly before: Observation;
  readonly after: Observation;
  readonly seconds: number;
}

/** The points of a run of the situation that nothing happens to. */
export async function pointsIn(situation: Situation, stage: Stage): Promise<readonly Point[]> {
  const { versions } = await stage.prepare(situation);
  const run = await stage.tracer.arm('record', versions);
  await stage.ask(situation);
  await run.attached;
  await stage.calm();
  return pointsOf(await run.trace(), run.names);
}

/** The points of the run that settles after a kill at `first`. */
export async function pointsOfSettling(situation: Situation, first: Point, stage: Stage): Promise<readonly Point[]> {
  const { versions } = await stage.prepare(situation);
  const run = await stage.tracer.arm({ at: first, how: 'kill' }, versions);
  await stage.ask(situation);
  await run.attached;
  const next = await stage.tracer.arm('record', versions);
  await next.attached;
  await stage.calm();
  return pointsOf(await next.trace(), next.names);
}

export interface Strikes {
  readonly first: Strike;
  /** Strikes the next run as well, which settles. */
  readonly again?: Strike;
  /** What comes last: a run that only settles, or the same request again, which must take the release now. */
  readonly then: 'settle' | 'take up';
}

/**
 * Strikes the run that the situation asks for, leaves the rest to systemd and to one more run, and looks at what has
 * become of it.
 */
export async function strike(situation: Situation, strikes: Strikes, stage: Stage): Promise<Struck> {
  const { first, again, then } = strikes;
  const began = process.hrtime.bigint();
  const prepared = await stage.prepare(situation);
  const { before, versions } = prepared;
  const said = await listen(stage);
  const run = await stage.tracer.arm(first, versions);
  await stage.ask(situation);
  await run.attached;
  const next = again === undefined ? undefined : await stage.tracer.arm(again, versions);
  const found = await outcomeOf(run, before, stage);
  if (next !== undefined) found.push(...(await strikeNext(next, before, stage)));
  await stage.calm();
  await (then === 'settle' ? stage.settle() : stage.takeUp(situation, prepared));
  const after = await observe(stage.lab);
  return {
    hit: await run.struck,
    violations: [...found, ...violations(before, after, stage.references)],
    said: await said(),
    versions,
    entries: entriesSince(before, after),
    before,
    after,
    seconds: Number(process.hrtime.bigint() - began) / 1e9,
  };
}

/** Ends when the run was struck or is over. One that was stopped is looked at as it stands, then killed. */
async function outcomeOf(run: TracedRun, before: Observation, stage: Stage): Promise<string[]> {
  if (!(await run.struck) || run.over()) return [];
  const found = violationsAtOnce(before, await observe(stage.lab), stage.references);
  run.kill();
  return found.map((what) => `at once: ${what}`);
}

/** The next run, if systemd starts one by itself; it is the second to be struck. */
async function strikeNext(next: TracedRun, before: Observation, stage: Stage): Promise<string[]> {
  const came = next.attached.then(() => 'came' as const);
  // What is held is not calm, so that no run is missed.
  const first = await Promise.race([came, stage.calm().then(() => 'calm' as const)]);
  if (first === 'came') return outcomeOf(next, before, stage);
  await next.disarm();
  await came.catch(() => undefined);
  return [];
}

/** Gives what the unit has said since. */
async function listen({ lab }: Stage): Promise<() => Promise<string>> {
  const cursor = /^-- cursor: (.*)$/m.exec(await lab.host.journal('--lines=0', '--show-cursor'))?.[1] ?? '';
  return () => lab.host.journal('--after-cursor', cursor, '--unit=node-updater@demo.service', '--output=cat');
}

function entriesSince(before: Observation, after: Observation): readonly Entry[] {
  const { records } = parseLedger(Buffer.from(after.ledger), 'ledger.jsonl');
  return records.slice(before.ledger.split('\n').length - 1).map(({ entry }) => entry);
}
