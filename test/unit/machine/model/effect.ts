/** An effect of a step: one call that changes or reads the host. Between two of them anything may happen. */
import { judgeUnit, type Verdict } from '../../../../src/activation/gate.ts';
import type { ErrorCode } from '../../../../src/errors.ts';
import type { OpenTransaction } from '../../../../src/machine/recover.ts';
import type { Event, Working } from '../../../../src/machine/state.ts';
import { flushHome } from './disk.ts';
import { NOTED, factsOf } from './node.ts';
import type { V, World } from './world.ts';

/** What follows: the next effect, nothing yet, another effect of this step, or the step's answer. */
export type Flow = 'next' | 'blocked' | { readonly to: number } | Answered;
export interface Answered {
  readonly answer: Event;
  readonly code?: ErrorCode;
}

export interface About {
  readonly from: V;
  readonly to: V;
  readonly open: OpenTransaction;
  readonly slow: boolean;
  /** How often this run's step was begun: by this run and those before it. */
  readonly times: (state: Working) => number;
  readonly limits: Limits;
}

/** After how many tries a person is asked; those of the model are lower. */
export interface Limits {
  readonly resumes: number;
  readonly tries: number;
}

export interface Effect {
  readonly say: string;
  /** The calls of a port that this is, if it is any: a test holds these against what the real functions call. */
  readonly port?: string | readonly string[];
  /** What may refuse it: `disk` an error of the file system, `bus` the loss of the bus. */
  readonly needs?: 'disk' | 'bus';
  readonly act: (w: World, about: About) => Flow;
  /** What else may come of it, without anybody's doing: time passes. */
  readonly late?: (w: World, about: About) => Flow;
  /** What follows when it is refused; absent: the step has failed. */
  readonly refused?: (w: World, code: ErrorCode) => Flow;
  /** Done by the backup room, which may die alone. */
  readonly by?: 'room';
}

export type Program = Readonly<Record<Working, readonly Effect[]>>;

export const OK: Answered = { answer: 'ok' };
export const answerOk: Effect = { say: 'is done', act: () => OK };

export function disk(port: string, say: string, act: (w: World, about: About) => void): Effect {
  return { port, say, needs: 'disk', act: after(act) };
}

export function bus(port: string, say: string, act: (w: World, about: About) => Flow): Effect {
  return { port, say, needs: 'bus', act };
}

export function after(act: (w: World, about: About) => void): Effect['act'] {
  return (w, about) => {
    act(w, about);
    return 'next';
  };
}

/** The second half of a durable change: no call of its own, but a moment of its own. */
export const flush: Effect = { say: 'flushes /opt/demo', needs: 'disk', act: after(flushHome) };

export function failed(code: ErrorCode): Answered {
  return { answer: 'failed', code };
}

/** As the gate judges what the soak is about. */
export function soakVerdict(w: World): Verdict {
  return verdict(w, w.since === 'noted' ? NOTED : 0n, w.base);
}

export function verdict(w: World, startedAfter: bigint, restarts = 0): Verdict {
  return judgeUnit(factsOf(w), { startedAfter, restarts });
}

/** Waits for the job that it ordered; a node that never says that it is up lets the limit pass. */
export const waits: Effect = {
  say: 'learns how the job ended',
  needs: 'bus',
  act: (w) => (w.wait === 'pending' ? 'blocked' : 'next'),
  late: (w, about) => {
    if (w.wait !== 'pending' || !mayTakeLong(w, about)) return 'blocked';
    w.wait = 'no-answer';
    return 'next';
  },
};

/** Only what hangs takes longer than the limits, or a daemon that is slow. */
export function mayTakeLong(w: World, { slow }: About): boolean {
  return slow || (w.sick && w.act === 'activating');
}

/** One look of the soak at what decides; it holds when time enough has passed, which may be at once. */
export function soakLook(w: World, judged: Verdict): Flow {
  if (judged.kind === 'failed') return failed(judged.code);
  if (judged.kind === 'operator') return { answer: 'operator' };
  if (judged.kind === 'waiting') return 'blocked';
  return w.sick ? failed('GATE_PROBE') : 'next';
}

export function is(current: V, expected: V): Flow {
  return current === expected ? 'next' : failed('HOST_STATE');
}

/** An effect that others go to by name. */
export interface Step extends Omit<Effect, 'act' | 'late' | 'refused'> {
  readonly at?: string;
  readonly act: (w: World, about: About) => Flow | Go;
  readonly late?: (w: World, about: About) => Flow | Go;
  readonly refused?: (w: World, code: ErrorCode) => Flow | Go;
}

export interface Go {
  readonly go: string;
}

/** Names into places. */
export function assemble(steps: readonly Step[]): readonly Effect[] {
  const place = (flow: Flow | Go): Flow => {
    if (typeof flow === 'string' || !('go' in flow)) return flow;
    const to = steps.findIndex(({ at }) => at === flow.go);
    if (to === -1) throw new Error(`no effect is called ${flow.go}`);
    return { to };
  };
  return steps.map(({ act, late, refused, ...effect }) => ({
    ...effect,
    act: (w, about) => place(act(w, about)),
    ...(late === undefined ? {} : { late: (w: World, about: About) => place(late(w, about)) }),
    ...(refused === undefined ? {} : { refused: (w: World, code: ErrorCode) => place(refused(w, code)) }),
  }));
}
