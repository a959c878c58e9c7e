import { UpdaterError } from '../errors.ts';
import type { JobResult, UnitFacts } from '../host/ports.ts';
import type { ActivationContext } from './context.ts';
import { gateError, judgeUnit, type Verdict } from './gate.ts';

export interface Started {
  /** CLOCK_MONOTONIC in microseconds just before the job: a process that started earlier is not the candidate. */
  readonly startedAfter: bigint;
  /** True when the operator stopped the node before or while it was starting. */
  readonly operatorStopped: boolean;
}

/** What the node is expected to be doing when it is restarted. */
export type Before = 'running' | 'down';

/**
 * Milliseconds of quiet on both sides of the restart. What the records before it set off (followers, the journal, the
 * disk) ends while the old version still runs; and nothing of ours competes with the candidate for the processor while it
 * comes up. Both would be downtime (promise 7).
 */
const QUIET_BEFORE = 300;
const QUIET_AFTER = 1_000;

/**
 * One restart of the node, which now means the candidate; the mark says meanwhile that it is down by our doing; it
 * holds until the unit has another invocation than the one that the mark names. Waits until the unit is up, at most for
 * `start_timeout`. Throws what the gate would say of a unit that does not come up.
 */
export async function startNode(before: Before, context: ActivationContext): Promise<Started> {
  const { bus, clock, files, layout, unit } = context;
  if (before === 'running') await clock.wait(QUIET_BEFORE);
  await files.mark(layout.downMark, (await bus.facts(unit)).invocationId);
  const startedAfter = clock.monotonic();
  const job = await restart(before, startedAfter, context);
  if (job === 'done') await clock.wait(QUIET_AFTER);
  const facts = await bus.facts(unit);
  const verdict = judgeUnit(facts, { startedAfter, restarts: 0 });
  if (verdict.kind === 'failed' || (job !== 'done' && job !== 'canceled')) throw notUp(job, facts, verdict, context);
  await files.remove(layout.downMark);
  return { startedAfter, operatorStopped: verdict.kind === 'operator' };
}

/**
 * A node that runs gets TryRestartUnit: should its operator stop it at this very moment, it stays stopped. Systemd takes
 * that for nothing to do also while the old version is just ending by itself; then it is asked again, for certain.
 * Never StartUnit: on a version that somebody has started meanwhile it would do nothing, and the gate would judge the
 * wrong one.
 */
async function restart(before: Before, startedAfter: bigint, context: ActivationContext): Promise<JobResult> {
  const { bus, heartbeat, settings, unit } = context;
  const timeout = settings.gate.startTimeout;
  if (before === 'down') {
    await bus.resetFailed(unit);
    return heartbeat.during(bus.restart(unit, timeout));
  }
  const job = await heartbeat.during(bus.tryRestart(unit, timeout));
  const { activeState, job: pending, service } = await bus.facts(unit);
  const up = activeState !== 'inactive' && activeState !== 'failed';
  const older = (service?.execMainStartMonotonic ?? 0n) < startedAfter;
  if (job !== 'done' || pending !== 0 || !up || !(older || (service?.nRestarts ?? 0) > 0)) return job;
  return heartbeat.during(bus.restart(unit, timeout));
}

function notUp(job: JobResult, facts: UnitFacts, verdict: Verdict, context: ActivationContext): UpdaterError {
  const { settings, unit } = context;
  if (job === 'no-answer') {
    const waited = `${settings.gate.startTimeout / 1000} s after its start`;
    return new UpdaterError('GATE_NOT_READY', `${unit} was not up ${waited}`, {
      remedy: `See what it waits for: journalctl -u ${unit}. A node that needs longer sets gate.start_timeout.`,
    });
  }
  // It came up, and was gone again before we looked: that is the gate's to say, as it would a moment later.
  if (verdict.kind === 'failed' && job === 'done') return gateError(verdict, unit);
  const reason = verdict.kind === 'failed' ? verdict.message : `the start job ended "${job}"`;
  const code = facts.service?.result === 'timeout' ? 'GATE_NOT_READY' : 'ACTIVATE_START';
  return new UpdaterError(code, `${unit} did not start: ${reason}`, { remedy: `See why: journalctl -u ${unit}` });
}
