import { UpdaterError } from '../errors.ts';
import { soakNode } from '../activation/soak.ts';
import type { MachineContext } from './context.ts';
import type { OpenTransaction } from './recover.ts';
import type { Answer } from './run.ts';

/** A version that was committed before has proven itself once; it must hold for so long again, in milliseconds. */
const SOAK = 5_000;

/** Proves that the version that was put back runs. A node that its operator stopped stays stopped. */
export async function gateOld(open: OpenTransaction | undefined, context: MachineContext): Promise<Answer> {
  const { bus, settings, unit } = context;
  const facts = await bus.facts(unit);
  if (open?.lastEvent === 'operator' && facts.activeState === 'inactive') return { event: 'operator' };
  const baseline = { startedAfter: 0n, restarts: facts.service?.nRestarts ?? 0 };
  try {
    const soaked = await soakNode(Math.min(SOAK, settings.gate.soak), baseline, context);
    return soaked.kind === 'held' ? { event: 'ok' } : { event: 'operator', facts: { message: soaked.message } };
  } catch (error) {
    throw new UpdaterError('GATE_OLD', `The version that was put back is not healthy either`, {
      cause: error,
      remedy: `A person is needed. See: journalctl -u ${unit}. Other staged versions: node-updater versions ${settings.node}`,
    });
  }
}
