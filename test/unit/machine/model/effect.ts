/** An effect of a step: one call that changes or reads the host. Between two of them anything may happen. */
import { judgeUnit, type Verdict } from '../../../../src/activation/gate.ts';
import type { ErrorCode } from '../../../../src/errors.ts';
import type { OpenTransaction } from '../../../../src/machine/recover.ts';
import type { Event, Working } from '../../../../src/machine/state.ts';
import { flushHome } from './disk.ts';
import { factsOf } from './node.ts';
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
}

export interface Effect {
  readonly say: string;
  /** The call of a port that this is, if it is one: a test holds these against what the real functions call. */
  readonly port?: string;
  /** What may refuse it: `disk` an error of the file system, `bus` the loss of the bus. */
  readonly needs?: 'disk' | 'bus';
  readonly act: (w: World, about: About) => Flow;
  /** What else may come of it, without anybody's doing: time passes. */
  readonly late?: (w: World, about: About) => Flow;
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
