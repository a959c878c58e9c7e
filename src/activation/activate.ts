import { UpdaterError } from '../errors.ts';
import { linkText } from '../layout.ts';
import type { UnitFacts } from '../host/ports.ts';
import type { Version } from '../release.ts';
import type { ActivationContext } from './context.ts';
import { renderProbationDropIn } from './unit-file.ts';

/**
 * Puts the unit on probation, proves that systemd reads it so, and switches `current` in one rename(2). Idempotent.
 * The drop-in makes every exit of the candidate visible in NRestarts, clean ones too, while an operator's stop and
 * restart leave it at 0.
 */
export async function activate(to: Version, context: ActivationContext): Promise<void> {
  const { bus, files, layout, unit } = context;
  const before = await bus.facts(unit);
  const dropIn = renderProbationDropIn({ triggered: before.triggeredBy.length > 0 });
  await files.makeDirectory(layout.probation.replace(/\/[^/]+$/, ''), 0o755);
  await files.replace(layout.probation, dropIn, 0o644);
  await bus.reload();
  checkEffective(await bus.facts(unit), unit);
  await files.switchLink(linkText(to), layout.current);
}

/** A drop-in of somebody else that sorts later, or lives higher, would make the gate blind. */
function checkEffective(facts: UnitFacts, unit: string): void {
  const service = facts.service;
  const blind: string[] = [];
  if (facts.triggeredBy.length === 0 && service?.restart !== 'always') blind.push(`Restart=${service?.restart ?? ''}`);
  if (service?.startLimitIntervalUsec !== 0n) {
    blind.push(`StartLimitIntervalSec=${String(service?.startLimitIntervalUsec ?? '')}us`);
  }
  if (blind.length === 0) return;
  throw new UpdaterError('HOST_UNIT', `${unit} keeps ${blind.join(' and ')} although the probation drop-in sets it`, {
    remedy: `A drop-in overrides ours. See which: systemctl cat ${unit}`,
  });
}
