import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeRounds, judgeUnit, type Verdict } from '../../../src/activation/gate.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import type { ServiceFacts, UnitFacts } from '../../../src/host/ports.ts';

const running: ServiceFacts = {
  type: 'simple',
  result: 'success',
  nRestarts: 0,
  mainPid: 42,
  execMainStatus: 0,
  execMainCode: 0,
  execMainStartMonotonic: 2_000n,
  execMainExitMonotonic: 0n,
  activeExitMonotonic: 0n,
  restart: 'always',
  restartUsec: 1_000_000n,
  timeoutStopUsec: 90_000_000n,
  user: '',
  execStart: ['/opt/n/current/bin/n'],
  startLimitIntervalUsec: 0n,
};

function facts(unit: Partial<UnitFacts> = {}, service: Partial<ServiceFacts> = {}): UnitFacts {
  return {
    unit: 'n.service',
    loadState: 'loaded',
    activeState: 'active',
    subState: 'running',
    unitFileState: 'enabled',
    fragmentPath: '/etc/systemd/system/n.service',
    dropInPaths: [],
    invocationId: 'a',
    triggeredBy: [],
    needDaemonReload: false,
    refusesManual: false,
    job: 0,
    service: { ...running, ...service },
    ...unit,
  };
}

const failed = { activeState: 'failed', subState: 'failed' };
const resting = { activeState: 'inactive', subState: 'dead' };
/** An end of which systemd knows in which order unit and process went. */
const own = { result: 'exit-code', restart: 'no' };

interface Row {
  readonly name: string;
  readonly unit?: Partial<UnitFacts>;
  readonly service?: Partial<ServiceFacts>;
  readonly kind: Verdict['kind'];
  /** What speaks against the version is GATE_EXITED; nothing else may quarantine it. */
  readonly code?: ErrorCode;
}

const baseline = { startedAfter: 1_000n, restarts: 0 };

describe('#judgeUnit', () => {
  it.each<Row>([
    { name: 'a running process that started after the switch holds', kind: 'holds' },
    {
      name: 'a process older than the switch fails, and says nothing of the version',
      service: { execMainStartMonotonic: 999n },
      kind: 'failed',
      code: 'HOST_UNIT',
    },
    {
      name: 'a restart by systemd fails, even while it runs again [S1.35][P22]',
      service: { nRestarts: 1 },
      kind: 'failed',
    },
    {
      name: 'a crash that waits for its restart fails before it is counted',
      unit: { activeState: 'activating', subState: 'auto-restart' },
      service: { result: 'exit-code' },
      kind: 'failed',
    },
    {
      name: 'a unit that is still starting is waited for',
      unit: { activeState: 'activating', subState: 'start' },
      kind: 'waiting',
    },
    { name: 'a clean stop without a job is one by its operator [F086]', unit: resting, kind: 'operator' },
    { name: 'a moment of rest within a restart job is waited for', unit: { ...resting, job: 7 }, kind: 'waiting' },
    {
      name: 'a failed unit under Restart=always was stopped by its operator: its daemon exits 1 on SIGTERM',
      unit: failed,
      service: { result: 'exit-code' },
      kind: 'operator',
    },
    {
      name: 'a failed unit with a job is in the middle of a restart that had to kill it, and is waited for',
      unit: { ...failed, job: 124 },
      service: { result: 'timeout' },
      kind: 'waiting',
    },
    {
      name: 'a failed unit that keeps its own Restart= crashed',
      unit: { ...failed, triggeredBy: ['n.socket'] },
      service: { result: 'exit-code', restart: 'on-failure' },
      kind: 'failed',
    },
    {
      name: 'a failed unit that keeps its own Restart= and left `active` before its process ended was stopped by its operator [F086]',
      unit: failed,
      service: { ...own, activeExitMonotonic: 3_000n, execMainExitMonotonic: 3_001n },
      kind: 'operator',
    },
    {
      name: 'a failed unit whose process ended first crashed',
      unit: failed,
      service: { ...own, activeExitMonotonic: 3_001n, execMainExitMonotonic: 3_000n },
      kind: 'failed',
    },
    {
      name: 'a failed unit that was never up crashed, whatever its run before left',
      unit: failed,
      service: { ...own, activeExitMonotonic: 1_999n, execMainExitMonotonic: 3_000n },
      kind: 'failed',
    },
    {
      name: 'a failed unit that its watchdog ended fails',
      unit: failed,
      service: { result: 'watchdog', restart: 'no', activeExitMonotonic: 3_000n, execMainExitMonotonic: 3_001n },
      kind: 'failed',
    },
    {
      name: 'a failed unit for want of resources fails',
      unit: failed,
      service: { result: 'resources' },
      kind: 'failed',
    },
    {
      name: 'a node that its socket starts may rest after it has run',
      unit: { ...resting, triggeredBy: ['n.socket'] },
      kind: 'holds',
    },
    {
      name: 'a node that its socket starts, and that has not run yet, proves nothing',
      unit: { ...resting, triggeredBy: ['n.socket'] },
      service: { execMainStartMonotonic: 999n },
      kind: 'waiting',
    },
    {
      name: 'a node that a timer may start is no different from others when it rests',
      unit: { ...resting, triggeredBy: ['n.timer'] },
      kind: 'operator',
    },
    { name: 'a main process that ended under RemainAfterExit fails', unit: { subState: 'exited' }, kind: 'failed' },
  ])('$name', ({ unit, service, kind, code = 'GATE_EXITED' }) => {
    const verdict = judgeUnit(facts(unit, service), baseline);
    expect(verdict).toMatchObject(kind === 'failed' ? { kind, code } : { kind });
  });

  it('counts exits from the baseline, so that an old version is not blamed for its past', () => {
    expect(judgeUnit(facts({}, { nRestarts: 5 }), { startedAfter: 0n, restarts: 5 }).kind).toBe('holds');
    expect(judgeUnit(facts({}, { nRestarts: 6 }), { startedAfter: 0n, restarts: 5 }).kind).toBe('failed');
  });
});

describe('#judgeRounds', () => {
  const good: readonly string[] = [];
  const bad = ['http: 500'];

  it('waits for the first round and holds when it is good', () => {
    expect(judgeRounds([], 3).kind).toBe('waiting');
    expect(judgeRounds([good], 3).kind).toBe('holds');
  });

  it('forgives fewer failures than allowed, but never holds right after one [P25]', () => {
    expect(judgeRounds([good, bad, bad], 3).kind).toBe('waiting');
    expect(judgeRounds([good, bad, bad, good], 3).kind).toBe('holds');
  });

  it('fails a node that flaps one round in three [F094][P27]', () => {
    const flapping = [good, good, bad, good, good, bad, good, good, bad];
    expect(judgeRounds(flapping, 3)).toMatchObject({ kind: 'failed', code: 'GATE_PROBE' });
  });

  it('fails whatever order as many failures as allowed come in', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], { minLength: 3, maxLength: 3 }),
        (where) => {
          const rounds = Array.from({ length: 12 }, (_, index) => (where.includes(index) ? bad : good));
          expect(judgeRounds(rounds, 3).kind).toBe('failed');
        },
      ),
    );
  });

  it('forgets failures that are long past', () => {
    expect(judgeRounds([bad, bad, ...Array.from({ length: 10 }, () => good), bad, good], 3).kind).toBe('holds');
  });
});
