import { UpdaterError } from '../errors.ts';
import type { UnitFacts } from '../host/ports.ts';
import type { ActivationContext } from './context.ts';
import { stopLimit } from './gate.ts';

/** Milliseconds beyond the unit's own TimeoutStopSec=, after which systemd has killed what is left. */
const BEYOND = 30_000;

/** Between two looks at a node that is on its way, in milliseconds. */
const LOOK = 100;

/** `was-down`: nobody stopped it here; `facts` say how it was. */
export type Stopped = { readonly kind: 'stopped' } | { readonly kind: 'was-down'; readonly facts: UnitFacts };

/**
 * Stops the node, by our doing: should this process die, the mark lets the fallback start it again. One that was down already
 * gets no mark, for nobody but its operator starts it. Throws ACTIVATE_STOP when it is still there after its own time-out.
 */
export async function stopNode(context: ActivationContext): Promise<Stopped> {
  const { bus, files, heartbeat, layout, unit } = context;
  const before = await lookAtLeisure(context);
  if (rests(before)) return { kind: 'was-down', facts: before };
  // No invocation yet: one that ends by itself and is started again before our stop reaches it has another then.
  await files.mark(layout.downMark, '');
  const patience = Number((before.service?.timeoutStopUsec ?? 0n) / 1000n) + BEYOND;
  const job = await heartbeat.during(bus.stop(unit, patience));
  const after = await bus.facts(unit);
  // From here on the mark ends with the next start, whose ever that is; a start that took the place of our stop has ended it.
  if (isUp(after) && job !== 'no-answer') await files.remove(layout.downMark);
  else await files.mark(layout.downMark, after.invocationId);
  if (isDown(after)) return { kind: 'stopped' };
  throw notStopped(`is ${after.activeState} after its stop (the job ended "${job}")`, unit);
}

/** One that is on its way down is somebody else's: its operator's stop would not be told from ours. */
export async function lookAtLeisure({ bus, clock, heartbeat, unit }: ActivationContext): Promise<UnitFacts> {
  const began = clock.monotonic();
  for (;;) {
    const facts = await bus.facts(unit);
    const passing = facts.activeState === 'deactivating' || (isDown(facts) && facts.job !== 0);
    if (!passing) return facts;
    if (clock.monotonic() - began > stopLimit(facts) + BigInt(BEYOND) * 1000n) throw notStopped('does not end', unit);
    heartbeat.beat();
    await clock.wait(LOOK);
  }
}

function notStopped(how: string, unit: string): UpdaterError {
  return new UpdaterError('ACTIVATE_STOP', `${unit} ${how}`, {
    remedy: `Its data cannot be touched while it runs. See what holds it: systemctl status ${unit}`,
  });
}

function isUp({ activeState }: UnitFacts): boolean {
  return ['active', 'activating', 'reloading'].includes(activeState);
}

export function isDown({ activeState }: UnitFacts): boolean {
  return activeState === 'inactive' || activeState === 'failed';
}

/** Down to stay: between the halves of a restart a node is down for a moment, and has a job. */
export function rests(facts: UnitFacts): boolean {
  return isDown(facts) && facts.job === 0;
}
