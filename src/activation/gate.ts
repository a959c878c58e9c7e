/**
 * The health gate's judgement: pure. What a unit's properties and the probes' rounds say about the version that runs.
 * Rules and their reasons: DESIGN.md section 6 and the cases it points to.
 */
import { UpdaterError, type ErrorCode } from '../errors.ts';
import type { ServiceFacts, UnitFacts } from '../host/ports.ts';

export type Verdict =
  | { readonly kind: 'holds' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  /** The node is down, and not by its own doing or ours. */
  | { readonly kind: 'operator'; readonly message: string };

/** How a service can end when systemd stops it because a person said so. */
const STOP_RESULTS = ['success', 'exit-code', 'signal', 'timeout', 'core-dump'];

export interface Baseline {
  /** CLOCK_MONOTONIC in microseconds; a main process that is older is not the version to be judged. */
  readonly startedAfter: bigint;
  /** NRestarts from which exits are counted; 0 right after a start. */
  readonly restarts: number;
}

export function judgeUnit(facts: UnitFacts, baseline: Baseline): Verdict {
  const { service, unit } = facts;
  if (service === undefined) return failed('HOST_UNIT', `${unit} is no service`);
  const exits = service.nRestarts - baseline.restarts;
  if (exits > 0) {
    const times = exits === 1 ? 'once' : `${exits} times`;
    return failed('GATE_EXITED', `${unit} exited ${times} and was restarted by systemd (${describe(service)})`);
  }
  // It has ended by itself and waits for systemd to start it again; NRestarts only counts that start.
  if (facts.subState.startsWith('auto-restart')) return failed('GATE_EXITED', `${unit} exited (${describe(service)})`);
  switch (facts.activeState) {
    case 'active':
      return judgeActive(facts, service, baseline.startedAfter);
    case 'inactive':
      // Between the two halves of a restart a unit is inactive for a moment; its job tells.
      if (facts.job !== 0) return { kind: 'waiting' };
      return isSocketActivated(facts)
        ? judgeResting(service, baseline)
        : operator(`${unit} was stopped by its operator`);
    case 'failed':
      // A restart that had to kill the process passes through here as well.
      if (facts.job !== 0) return { kind: 'waiting' };
      return judgeFailed(facts, service);
    default:
      // activating, deactivating, reloading: on its way to one of the above.
      return { kind: 'waiting' };
  }
}

/** In microseconds: by then systemd has killed what does not end by itself. */
export function stopLimit({ service }: UnitFacts): bigint {
  return service?.timeoutStopUsec ?? 0n;
}

/** Only a socket starts a node on demand; one with a timer or a path unit runs all the time like any other. */
export function isSocketActivated(facts: UnitFacts): boolean {
  return facts.triggeredBy.some((trigger) => trigger.endsWith('.socket'));
}

/** A node that its socket starts may rest, but only after it has run: its probes wake it. */
function judgeResting(service: ServiceFacts, baseline: Baseline): Verdict {
  const ran = service.execMainStartMonotonic >= baseline.startedAfter && service.result === 'success';
  return ran ? { kind: 'holds' } : { kind: 'waiting' };
}

function judgeActive(facts: UnitFacts, service: ServiceFacts, startedAfter: bigint): Verdict {
  if (facts.subState === 'exited') return failed('GATE_EXITED', `${facts.unit} ended (${describe(service)})`);
  if (service.execMainStartMonotonic < startedAfter) {
    const what = 'still runs a process that was started before the switch';
    const unknown = 'runs, and systemd does not know its main process (Type=forking needs PIDFile=)';
    return failed('HOST_UNIT', `${facts.unit} ${service.mainPid === 0 ? unknown : what}`);
  }
  return { kind: 'holds' };
}

/**
 * On probation every exit of the node's own is followed by a restart. A unit that is `failed` without one was stopped by
 * a person, and its daemon answers SIGTERM with an error or had to be killed. Elsewhere the order of its end tells.
 */
function judgeFailed(facts: UnitFacts, service: ServiceFacts): Verdict {
  if ((service.restart === 'always' && STOP_RESULTS.includes(service.result)) || wasStopped(facts)) {
    return operator(`${facts.unit} was stopped by its operator (${describe(service)})`);
  }
  return failed('GATE_EXITED', `${facts.unit} failed (${describe(service)})`);
}

/**
 * Whether it is down because systemd was told to stop it: then it left `active` before its process ended, else with it or after it.
 * False of one that was told so before it was up.
 */
export function wasStopped({ service }: UnitFacts): boolean {
  if (service === undefined) return false;
  const { activeExitMonotonic: left, execMainStartMonotonic: started, execMainExitMonotonic: ended, result } = service;
  return STOP_RESULTS.includes(result) && left >= started && left < ended;
}

function describe(service: ServiceFacts): string {
  return `result ${service.result}, exit status ${service.execMainStatus}`;
}

/** Rounds of probes, the newest last: `failures` of the last four times as many fail the gate, so flapping does too. */
export function judgeRounds(rounds: readonly (readonly string[])[], failures: number): Verdict {
  const recent = rounds.slice(-failures * 4);
  const bad = recent.filter((round) => round.length > 0);
  if (bad.length >= failures) {
    const message = `${bad.length} of the last ${recent.length} probe rounds failed; the last said: ${bad.at(-1)?.join('; ') ?? ''}`;
    return failed('GATE_PROBE', message);
  }
  const last = recent.at(-1);
  return last?.length === 0 ? { kind: 'holds' } : { kind: 'waiting' };
}

/** A failed verdict as the error that ends the transaction. */
export function gateError(verdict: Extract<Verdict, { kind: 'failed' }>, unit: string): UpdaterError {
  return new UpdaterError(verdict.code, verdict.message, {
    remedy: `See what the version said: journalctl -u ${unit}`,
  });
}

function failed(code: ErrorCode, message: string): Verdict {
  return { kind: 'failed', code, message };
}

function operator(message: string): Verdict {
  return { kind: 'operator', message };
}
