import { UpdaterError } from '../errors.ts';
import type { UnitFacts } from '../host/ports.ts';
import type { ActivationContext } from './context.ts';

/** Milliseconds beyond the unit's own TimeoutStopSec=, after which systemd has killed what is left. */
const BEYOND = 30_000;

/**
 * Stops the node, by our doing: should this process die, the mark lets the fallback start it again. Throws ACTIVATE_STOP when
 * it is still there after its own time-out. Idempotent.
 */
export async function stopNode(context: ActivationContext): Promise<void> {
  const { bus, files, heartbeat, layout, unit } = context;
  const before = await bus.facts(unit);
  await files.mark(layout.downMark, before.invocationId);
  const patience = Number((before.service?.timeoutStopUsec ?? 0n) / 1000n) + BEYOND;
  const job = await heartbeat.during(bus.stop(unit, patience));
  const after = await bus.facts(unit);
  if (isDown(after)) return;
  throw new UpdaterError('ACTIVATE_STOP', `${unit} is ${after.activeState} after its stop (the job ended "${job}")`, {
    remedy: `Its data cannot be touched while it runs. See what holds it: systemctl status ${unit}`,
  });
}

export function isDown({ activeState }: UnitFacts): boolean {
  return activeState === 'inactive' || activeState === 'failed';
}
