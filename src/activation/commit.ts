import { UpdaterError } from '../errors.ts';
import type { Version } from '../release.ts';
import type { ActivationContext } from './context.ts';
import { judgeUnit, stopLimit, type Baseline, type Verdict } from './gate.ts';
import { readLinks } from './links.ts';

/** Between two looks at a node that is on its way, in milliseconds. */
const LOOK = 200;

/**
 * The last look, then the one system call that commits: unlink of `fallback`. After it nothing puts the old version
 * back by itself. Idempotent: without `fallback` there is nothing left to do.
 */
export async function commit(
  to: Version,
  baseline: Baseline,
  context: ActivationContext,
): Promise<Exclude<Verdict, { kind: 'waiting' }>> {
  const { files, layout } = context;
  const verdict = await lastLook(baseline, context);
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

/** A node that is on its way says nothing yet: its operator may be stopping or restarting it, which is no evidence. */
async function lastLook(
  baseline: Baseline,
  context: ActivationContext,
): Promise<Exclude<Verdict, { kind: 'waiting' }>> {
  const { bus, clock, heartbeat, settings, unit } = context;
  const began = clock.monotonic();
  for (;;) {
    const facts = await bus.facts(unit);
    const verdict = judgeUnit(facts, baseline);
    if (verdict.kind !== 'waiting') return verdict;
    if (clock.monotonic() - began > stopLimit(facts) + BigInt(settings.gate.startTimeout) * 1000n) {
      return { kind: 'failed', code: 'GATE_NOT_READY', message: `${unit} is ${facts.activeState} and stays so` };
    }
    heartbeat.beat();
    await clock.wait(LOOK);
  }
}
