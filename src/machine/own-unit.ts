/**
 * Rooms are bound to our unit: who stops it stops them with it, and systemd may tell us of a room's end a moment before it
 * ends us. What fails then was the stop's doing, and is recorded as such: no room, host or version is blamed for it.
 */
import { UpdaterError } from '../errors.ts';
import type { Log, SystemBus } from '../host/ports.ts';
import { countsAgainst } from './recover.ts';
import { failureOf, type Answer, type Steps } from './run.ts';

/** Whether our own unit is being stopped. Throws HOST_BUS. */
export type BeingStopped = () => Promise<boolean>;

/** `unit` is our own. Its start job lasts for as long as we run, so another job in its place is one that ends us. */
export async function watchOwnUnit(unit: string, bus: Pick<SystemBus, 'facts'>): Promise<BeingStopped> {
  const { job: started } = await bus.facts(unit);
  return async () => {
    const { activeState, job } = await bus.facts(unit);
    return activeState === 'deactivating' || job !== started;
  };
}

interface Watched {
  readonly beingStopped: BeingStopped;
  readonly log: Log;
}

/** The same steps, each of which throws what `blame` makes of what it threw. */
export function blaming(steps: Steps, watched: Watched): Steps {
  const named = (step: () => Promise<Answer>) => async () => {
    try {
      return await step();
    } catch (error) {
      throw await blame(error, watched);
    }
  };
  return Object.fromEntries(Object.entries(steps).map(([state, step]) => [state, named(step)])) as unknown as Steps;
}

/** ACTIVATE_INTERRUPTED with `error` as its cause while our unit is being stopped; but what a version did is its own doing. */
export async function blame(error: unknown, { beingStopped, log }: Watched): Promise<unknown> {
  if (countsAgainst(failureOf(error))) return error;
  try {
    return (await beingStopped()) ? stopped(error) : error;
  } catch (second) {
    log.debug(`Whether the updater is being stopped cannot be seen: ${failureOf(second).message}`);
    return error;
  }
}

function stopped(cause: unknown): UpdaterError {
  return new UpdaterError('ACTIVATE_INTERRUPTED', 'The updater was stopped', {
    cause,
    remedy: 'Nothing to do: what was under way is taken back, and the release is tried again once.',
  });
}
