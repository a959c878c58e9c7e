import { UpdaterError } from '../errors.ts';
import type { ActivationContext } from './context.ts';
import { judgeUnit } from './gate.ts';

export interface Started {
  /** CLOCK_MONOTONIC in microseconds just before the job: a process that started earlier is not the candidate. */
  readonly startedAfter: bigint;
  /** True when the operator stopped the node while it was starting. */
  readonly operatorStopped: boolean;
}

/**
 * Starts the candidate. RestartUnit, never StartUnit: had somebody started the old version meanwhile, StartUnit would be
 * a no-op, and a version that never ran would be gated.
 */
export async function startNode(context: ActivationContext): Promise<Started> {
  const { bus, clock, files, heartbeat, layout, settings, unit } = context;
  await bus.resetFailed(unit);
  const startedAfter = clock.monotonic();
  const job = await heartbeat.during(bus.restart(unit, settings.gate.startTimeout));
  const facts = await bus.facts(unit);
  const verdict = judgeUnit(facts, { startedAfter, restarts: 0 });
  if (verdict.kind !== 'failed' && (job === 'done' || job === 'canceled')) {
    await files.remove(layout.downMark);
    return { startedAfter, operatorStopped: verdict.kind === 'operator' };
  }
  if (job === 'no-answer') {
    throw new UpdaterError(
      'GATE_NOT_READY',
      `${unit} was not up ${settings.gate.startTimeout / 1000} s after its start`,
      {
        remedy: `See what it waits for: journalctl -u ${unit}. A node that needs longer sets gate.start_timeout.`,
      },
    );
  }
  const reason = verdict.kind === 'failed' ? verdict.message : `the start job ended "${job}"`;
  const code = facts.service?.result === 'timeout' ? 'GATE_NOT_READY' : 'ACTIVATE_START';
  throw new UpdaterError(code, `${unit} did not start: ${reason}`, { remedy: `See why: journalctl -u ${unit}` });
}
