import { UpdaterError } from '../errors.ts';
import type { ActivationContext } from './context.ts';

/** Added to the unit's own stop time-out before we give up waiting for the job, in milliseconds. */
const MARGIN = 30_000;

/**
 * Stops the node and waits until it is gone. The mark says beforehand that it is down by our doing: whoever puts the
 * node back may start it again. Idempotent.
 */
export async function stopNode(context: ActivationContext): Promise<void> {
  const { bus, files, heartbeat, layout, unit } = context;
  const facts = await bus.facts(unit);
  await files.replace(layout.downMark, '', 0o644);
  const stopTimeout = Number((facts.service?.timeoutStopUsec ?? 90_000_000n) / 1000n);
  const job = await heartbeat.during(bus.stop(unit, stopTimeout * 2 + MARGIN));
  const state = (await bus.facts(unit)).activeState;
  if (state === 'inactive' || state === 'failed') return;
  throw new UpdaterError('ACTIVATE_STOP', `${unit} did not stop: the job ended "${job}" and the unit is ${state}`, {
    remedy: `The version before stays. Look for a process that cannot be killed: systemctl status ${unit}`,
  });
}
