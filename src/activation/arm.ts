import { UpdaterError } from '../errors.ts';
import { linkText } from '../layout.ts';
import type { UnitFacts } from '../host/ports.ts';
import type { Version } from '../release.ts';
import type { ActivationContext } from './context.ts';
import { isSocketActivated } from './gate.ts';
import { readLinks } from './links.ts';
import { renderProbationDropIn } from './unit-file.ts';

/**
 * From here until the commit systemd alone returns the node to `from`, whatever becomes of this process: makes the link
 * `fallback`, then puts the unit on probation and proves that systemd reads it so. The old version still runs, and what
 * takes time here (a reload of systemd) is no downtime. Idempotent. A first installation has nothing to fall back to and
 * leaves only its mark.
 */
export async function arm(from: Version | undefined, context: ActivationContext): Promise<void> {
  const { files, layout } = context;
  // A run that died as it staged, or removed, may not have done so; what `current` is to name must outlast a power cut.
  await files.flushDirectory(layout.versions);
  await files.makeDirectory(layout.run, 0o755);
  await files.mark(layout.openMark, '');
  if (from !== undefined) await linkFallback(from, context);
  await putOnProbation(context);
}

async function linkFallback(from: Version, context: ActivationContext): Promise<void> {
  const { files, layout } = context;
  const links = await readLinks(layout);
  if (links.current !== from) {
    throw new UpdaterError('HOST_STATE', `${layout.current} names ${links.current ?? 'nothing'}, not ${from}`, {
      remedy: 'Somebody changed the link while the update was prepared. The next run looks at it afresh.',
    });
  }
  if (links.fallback !== from) await files.symlink(linkText(from), layout.fallback);
}

/**
 * The drop-in makes every exit of the candidate visible in NRestarts, clean ones too, while an operator's stop and
 * restart leave it at 0.
 */
async function putOnProbation(context: ActivationContext): Promise<void> {
  const { bus, files, layout, unit } = context;
  const dropIn = renderProbationDropIn({ triggered: isSocketActivated(await bus.facts(unit)) });
  await files.makeDirectory(layout.probation.replace(/\/[^/]+$/, ''), 0o755);
  await files.replace(layout.probation, dropIn, 0o644);
  await bus.reload();
  checkEffective(await bus.facts(unit), unit);
}

/** A drop-in of somebody else that sorts later, or lives higher, would make the gate blind. */
function checkEffective(facts: UnitFacts, unit: string): void {
  const service = facts.service;
  const blind: string[] = [];
  if (!isSocketActivated(facts) && service?.restart !== 'always') blind.push(`Restart=${service?.restart ?? ''}`);
  if (service?.startLimitIntervalUsec !== 0n) {
    blind.push(`StartLimitIntervalSec=${String(service?.startLimitIntervalUsec ?? '')}us`);
  }
  if (blind.length === 0) return;
  throw new UpdaterError('HOST_UNIT', `${unit} keeps ${blind.join(' and ')} although the probation drop-in sets it`, {
    remedy: `A drop-in overrides ours. See which: systemctl cat ${unit}`,
  });
}
