/**
 * How the old version is before anything is done to it. One that fails its own probes says that the node, its surroundings or
 * the probes are wrong: the candidate would be judged by the same measure, put back, and blamed for it (F096).
 */
import { UpdaterError } from '../errors.ts';
import type { UnitFacts } from '../host/ports.ts';
import type { ActivationContext } from './context.ts';
import { judgeRounds } from './gate.ts';
import { startRounds } from './probe-room.ts';

/**
 * Throws GATE_BASELINE when the running version fails the gate's probes. One that goes down by itself meanwhile has nothing
 * to lose by an update, and passes.
 */
export async function checkBaseline(before: UnitFacts, action: string, context: ActivationContext): Promise<void> {
  const { clock, heartbeat, settings } = context;
  const { failures, grace, interval, timeout, probes } = settings.gate;
  if (probes.length === 0) return;
  const began = clock.monotonic();
  const patience = BigInt(failures * (interval + timeout) + PATIENCE) * 1000n;
  await using rounds = await startRounds(began - BigInt(grace) * 1000n, context);
  while (clock.monotonic() - began < patience) {
    const verdict = judgeRounds(await rounds.read(), failures);
    if (verdict.kind === 'holds') return;
    if (verdict.kind === 'failed') {
      if (await goesDown(before, context)) return;
      throw sick(verdict.message, action, context);
    }
    heartbeat.beat();
    await clock.wait(LOOK);
  }
  throw sick('its probes gave no answer', action, context);
}

async function goesDown(before: UnitFacts, { bus, unit }: ActivationContext): Promise<boolean> {
  const now = await bus.facts(unit);
  return now.activeState !== 'active' || now.service?.nRestarts !== before.service?.nRestarts;
}

const LOOK = 100;
/** What the probe room may take to start, on a slow and busy host. In milliseconds. */
const PATIENCE = 15_000;

function sick(message: string, action: string, { settings, unit }: ActivationContext): UpdaterError {
  const { node } = settings;
  const then =
    action === 'drill'
      ? `Mend it first: a drill shows nothing on a node that is sick. Then: sudo node-updater drill ${node} --yes`
      : `If the update is meant to mend it: sudo node-updater upgrade ${node} --force unhealthy`;
  return new UpdaterError('GATE_BASELINE', `The version that runs is not healthy before the ${action}: ${message}`, {
    remedy: `See: journalctl -u ${unit}, and whether the probes are right: node-updater config ${node}. ${then}`,
  });
}
