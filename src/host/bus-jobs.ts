/** Waiting for systemd's jobs: which JobRemoved belongs to whom, also when it comes early, late, twice or never. */
import type { UpdaterError } from '../errors.ts';
import type { JobResult, UnitFacts } from './ports.ts';
import { timer } from './bus-wire.ts';

export type JobKind = 'start' | 'restart' | 'try-restart' | 'stop';

export interface OpenJob {
  readonly kind: JobKind;
  readonly unit: string;
  /** Its object path, which ends in the job's number. */
  readonly path: string;
}

export interface Jobs {
  /**
   * Enqueues a job by `enqueue`, which answers with its object path, and waits for its end, at most `timeout` ms from now. Rejects when
   * `enqueue` does, or when the bus is lost.
   */
  run(kind: JobKind, unit: string, enqueue: () => Promise<string>, timeout: number): Promise<JobResult>;
  /** systemd said that a job is over. */
  removed(path: string, result: string): void;
  /** The jobs that are waited for. */
  open(): readonly OpenJob[];
  fail(why: UpdaterError): void;
}

interface Waiter extends OpenJob {
  readonly settle: (result: JobResult) => void;
  readonly fail: (why: UpdaterError) => void;
}

interface State {
  readonly waiters: Set<Waiter>;
  /** Ends heard while an `enqueue` is under way: JobRemoved may overtake the reply that names the job. */
  readonly early: Map<string, JobResult>;
  enqueuing: number;
}

const results: ReadonlySet<string> = new Set<JobResult>([
  'done',
  'canceled',
  'timeout',
  'failed',
  'dependency',
  'skipped',
  'invalid',
  'assert',
  'unsupported',
  'collected',
  'once',
]);

/** Newer versions of systemd have results that this one does not know; none of them means that it went well. */
function jobResult(text: string): JobResult {
  return results.has(text) ? (text as JobResult) : 'failed';
}

/** The number at the end of a job's object path; 0, which is no job's, for another kind of path. */
export function jobNumber(path: string): number {
  return Number(/\/job\/(\d{1,10})$/.exec(path)?.[1] ?? 0);
}

/**
 * What became of a job whose end was not heard (systemd re-executed itself meanwhile), told by the unit's state alone. A unit that is on its
 * way up without a job is one that fell over and is being restarted.
 */
export function missedResult(kind: JobKind, facts: UnitFacts): JobResult {
  const down = facts.activeState === 'inactive' || facts.activeState === 'failed';
  if (kind === 'stop') return down ? 'done' : 'failed';
  if (facts.activeState === 'inactive') return (facts.service?.result ?? 'success') === 'success' ? 'done' : 'failed';
  return facts.activeState === 'failed' || facts.activeState === 'activating' ? 'failed' : 'done';
}

export function makeJobs(): Jobs {
  const state: State = { waiters: new Set(), early: new Map(), enqueuing: 0 };
  return {
    run: (kind, unit, enqueue, timeout) => run(state, kind, unit, enqueue, timeout),
    removed(path, result) {
      if (state.enqueuing > 0) state.early.set(path, jobResult(result));
      for (const waiter of matching(state, path)) waiter.settle(jobResult(result));
    },
    open: () => [...state.waiters],
    fail(why) {
      for (const waiter of [...state.waiters]) waiter.fail(why);
    },
  };
}

function matching(state: State, path: string): Waiter[] {
  return [...state.waiters].filter((waiter) => waiter.path === path);
}

async function run(
  state: State,
  kind: JobKind,
  unit: string,
  enqueue: () => Promise<string>,
  timeout: number,
): Promise<JobResult> {
  const deadline = performance.now() + timeout;
  let end: Promise<JobResult>;
  state.enqueuing++;
  try {
    const path = await enqueue();
    const early = state.early.get(path);
    end = early === undefined ? wait(state, { kind, unit, path }, deadline) : Promise.resolve(early);
  } finally {
    state.enqueuing--;
    if (state.enqueuing === 0) state.early.clear();
  }
  return end;
}

/** Registers the waiter before it returns, so that no end can fall between the reply and the wait. */
function wait(state: State, job: OpenJob, deadline: number): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(limit);
      state.waiters.delete(waiter);
    };
    const waiter: Waiter = {
      ...job,
      settle(result) {
        leave();
        resolve(result);
      },
      fail(why) {
        leave();
        reject(why);
      },
    };
    const limit = timer(deadline - performance.now(), () => {
      waiter.settle('no-answer');
    });
    state.waiters.add(waiter);
  });
}
