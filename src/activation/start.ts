import { UpdaterError } from '../errors.ts';
import type { JobResult, UnitFacts } from '../host/ports.ts';
import type { ActivationContext } from './context.ts';
import { gateError, judgeUnit, stopLimit, type Verdict } from './gate.ts';
import { isDown } from './stop.ts';

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

/** Between two looks at a node that is on its way, in milliseconds. */
const LOOK = 100;

/**
 * One restart of the node, which now means the candidate. It makes no mark: systemd carries a restart out whole, and what
 * its operator stops is not ours to start. What was stopped for this has its mark from there, until it is up. Waits until
 * the unit is up, at most for `start_timeout`. Throws what the gate would say of a unit that does not come up.
 */
export async function startNode(before: Before, context: ActivationContext): Promise<Started> {
  const { clock, files, layout } = context;
  if (before === 'running') await clock.wait(QUIET_BEFORE);
  const startedAfter = clock.monotonic();
  const job = await restart(before, startedAfter, context);
  if (job === 'done') await clock.wait(QUIET_AFTER);
  const facts = await settled(job, context);
  // On probation what exits is restarted: one that is down was stopped by somebody, whatever exited before.
  const restarts = isDown(facts) ? (facts.service?.nRestarts ?? 0) : 0;
  const verdict = judgeUnit(facts, { startedAfter, restarts });
  if (verdict.kind === 'failed' || (job !== 'done' && job !== 'canceled')) throw notUp(job, facts, verdict, context);
  await files.remove(layout.downMark);
  return { startedAfter, operatorStopped: verdict.kind === 'operator' };
}

/**
 * A node that runs gets TryRestartUnit: should its operator stop it at this very moment, it stays stopped. Systemd takes
 * that for nothing to do also while the old version is just ending by itself; then it is asked again.
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
  const facts = await settled(job, context);
  const older = (facts.service?.execMainStartMonotonic ?? 0n) < startedAfter;
  const missed = older || (facts.service?.nRestarts ?? 0) > 0;
  if (job !== 'done' || facts.job !== 0 || isDown(facts) || !missed) return job;
  return heartbeat.during(bus.tryRestart(unit, timeout));
}

/** The unit when nobody's job is under way and it is not on its way down, or when that has taken too long. */
async function settled(job: JobResult, context: ActivationContext): Promise<UnitFacts> {
  const { bus, clock, heartbeat, settings, unit } = context;
  const began = clock.monotonic();
  for (;;) {
    const facts = await bus.facts(unit);
    const passing = facts.activeState === 'deactivating' || facts.job !== 0;
    if (!passing || (job !== 'done' && job !== 'canceled')) return facts;
    if (clock.monotonic() - began > stopLimit(facts) + BigInt(settings.gate.startTimeout) * 1000n) return facts;
    heartbeat.beat();
    await clock.wait(LOOK);
  }
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
