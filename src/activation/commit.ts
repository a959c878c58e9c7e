import { UpdaterError } from '../errors.ts';
import type { Version } from '../release.ts';
import type { ActivationContext } from './context.ts';
import { judgeUnit, type Baseline, type Verdict } from './gate.ts';
import { readLinks } from './links.ts';

/**
 * The last look, then the one system call that commits: unlink of `fallback`. After it nothing puts the old version
 * back by itself. Idempotent: without `fallback` there is nothing left to do.
 */
export async function commit(to: Version, baseline: Baseline, context: ActivationContext): Promise<Verdict> {
  const { bus, files, layout, unit } = context;
  const verdict = judgeUnit(await bus.facts(unit), baseline);
  if (verdict.kind !== 'holds') return verdict;
  const { current } = await readLinks(layout);
  if (current !== to) {
    throw new UpdaterError(
      'HOST_STATE',
      `${layout.current} names ${current ?? 'nothing'} at the end of the soak, not ${to}`,
      {
        remedy:
          'Somebody put another version back during the soak; it stays. node-updater history shows what happened.',
      },
    );
  }
  await files.remove(layout.fallback);
  return verdict;
}
