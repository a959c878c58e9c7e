import { UpdaterError } from '../errors.ts';
import type { ActivationContext } from './context.ts';
import { gateError, judgeRounds, judgeUnit, type Baseline, type Verdict } from './gate.ts';
import { startRounds, type Rounds } from './probe-room.ts';

export type Soaked = { readonly kind: 'held' } | { readonly kind: 'operator'; readonly message: string };

/** Longest pause between two looks, in milliseconds; a change of the unit is looked at at once. */
const LOOK = 1000;
/** Most running time that one look can add: what was not observed does not count (a stopped or suspended updater). */
const MAX_CREDIT = 5n * 1_000_000n;

/**
 * Watches the unit until it and its probes have held for `soak` milliseconds of observed running time. Throws the gate's
 * error as soon as the evidence is there. Repeatable: a second call begins a new soak.
 */
export async function soakNode(soak: number, baseline: Baseline, context: ActivationContext): Promise<Soaked> {
  const { bus, clock, settings, unit } = context;
  const hasProbes = settings.gate.probes.length > 0;
  const bell = makeBell();
  const watching = await bus.watch(unit, bell.ring);
  const rounds = hasProbes ? await startRounds(clock.monotonic(), context) : undefined;
  try {
    return await watchUntilHeld(soak, baseline, rounds, bell, context);
  } finally {
    await rounds?.[Symbol.asyncDispose]();
    await watching[Symbol.asyncDispose]();
  }
}

async function watchUntilHeld(
  soak: number,
  baseline: Baseline,
  rounds: Rounds | undefined,
  bell: Bell,
  context: ActivationContext,
): Promise<Soaked> {
  const { clock, heartbeat, settings } = context;
  const began = clock.monotonic();
  let last = began;
  let held = 0n;
  for (;;) {
    const verdict = await look(baseline, rounds, context);
    const now = clock.monotonic();
    if (verdict.kind === 'operator') return verdict;
    if (verdict.kind === 'failed') throw gateError(verdict, context.unit);
    if (verdict.kind === 'holds') {
      held += min(now - last, MAX_CREDIT);
      if (held >= BigInt(soak) * 1000n) return { kind: 'held' };
    } else if (now - began > BigInt(settings.gate.startTimeout + settings.gate.grace + soak) * 1000n + held) {
      throw notReady(context);
    }
    last = now;
    heartbeat.status(`Soaking ${settings.node}: ${Number(held / 1_000_000n)} of ${soak / 1000} s`);
    await bell.waitOr(clock.wait(Math.min(LOOK, settings.gate.interval)));
  }
}

async function look(baseline: Baseline, rounds: Rounds | undefined, context: ActivationContext): Promise<Verdict> {
  const unit = judgeUnit(await context.bus.facts(context.unit), baseline);
  if (unit.kind === 'failed' || unit.kind === 'operator' || rounds === undefined) return unit;
  const probes = judgeRounds(await rounds.read(), context.settings.gate.failures);
  return probes.kind === 'holds' ? unit : probes;
}

function notReady(context: ActivationContext): UpdaterError {
  return new UpdaterError('GATE_NOT_READY', `${context.unit} did not become healthy in time`, {
    remedy: `See what it waits for: journalctl -u ${context.unit}. A node that needs longer sets gate.grace.`,
  });
}

interface Bell {
  readonly ring: () => void;
  /** Resolves when the bell has rung since the last call, or with the pause. */
  waitOr(pause: Promise<void>): Promise<void>;
}

function makeBell(): Bell {
  let rung = Promise.withResolvers<unknown>();
  return {
    ring: () => {
      rung.resolve(undefined);
    },
    async waitOr(pause) {
      await Promise.race([rung.promise, pause]);
      rung = Promise.withResolvers();
    },
  };
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
