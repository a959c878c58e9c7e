import type { ActivationContext } from './context.ts';
import { exists } from '../if-there.ts';

/** Ends the probation: what is left after a death in here is harmless, and the next run removes it. Idempotent. */
export async function cleanUp(context: ActivationContext): Promise<void> {
  const { bus, files, layout, unit } = context;
  if (await exists(layout.probation)) await files.remove(layout.probation);
  // Also when somebody removed the drop-in and died before the reload.
  if ((await bus.facts(unit)).needDaemonReload) await bus.reload();
  await files.remove(layout.downMark);
  await files.remove(layout.stoppedMark);
  await files.remove(layout.openMark);
}
