import { notAtBoot } from './boot-start.ts';
import { cleanUp } from './clean.ts';
import type { ActivationContext } from './context.ts';

const STOP_LIMIT = 300_000;

/** Undoes a first installation that was not committed: disables what we have enabled, stops the unit, removes `current`. Idempotent. */
export async function withdraw(context: ActivationContext): Promise<void> {
  const { bus, files, heartbeat, layout, settings, unit } = context;
  // First: a boot would start what is half withdrawn.
  if (settings.unit !== undefined) await notAtBoot(context);
  await heartbeat.during(bus.stop(unit, STOP_LIMIT));
  await files.remove(layout.current);
  // Somebody may have started it in between; now there is no program to start.
  await heartbeat.during(bus.stop(unit, STOP_LIMIT));
  await cleanUp(context);
  await bus.resetFailed(unit);
}
