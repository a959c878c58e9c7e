import { cleanUp } from '../activation/clean.ts';
import { exists } from '../if-there.ts';
import { soakNode, type Soaked } from '../activation/soak.ts';
import { rests } from '../activation/stop.ts';
import { UpdaterError } from '../errors.ts';
import type { MachineContext } from './context.ts';
import type { OpenTransaction } from './recover.ts';
import type { Answer } from './run.ts';

/** A version that was committed before has proven itself once; it must hold for so long again, in milliseconds. */
export function briefly(soak: number): number {
  return Math.min(5_000, soak);
}

/** Proves that the version that was put back runs. A node that its operator stopped stays stopped. */
export async function gateOld(open: OpenTransaction | undefined, context: MachineContext): Promise<Answer> {
  const { bus, unit } = context;
  const facts = await bus.facts(unit);
  const stopped = await stoppedByOperator(open, context);
  // What revert@ leaves when it dies half-way, and what it leaves for us.
  await cleanUp(context);
  if (stopped && rests(facts)) return { event: 'operator' };
  const soaked = await soakOld(facts.service?.nRestarts ?? 0, context);
  if (soaked.kind === 'held') return { event: 'ok' };
  // Nobody was seen to stop it: it ended by itself, or could not be started.
  throw notHealthy(`${unit} is not running`, context);
}

/**
 * Whether the node is down because somebody wants it so: seen in the soak, or by revert@, or after a boot, which starts
 * what its operator has enabled.
 */
async function stoppedByOperator(open: OpenTransaction | undefined, context: MachineContext): Promise<boolean> {
  if (open === undefined) return false;
  if (open.rests === 'yes' || open.lastEvent === 'operator' || open.boot !== context.clock.bootId) return true;
  return exists(context.layout.stoppedMark);
}

async function soakOld(restarts: number, context: MachineContext): Promise<Soaked> {
  try {
    return await soakNode(briefly(context.settings.gate.soak), { startedAfter: 0n, restarts }, context);
  } catch (error) {
    if (!(error instanceof UpdaterError) || !error.code.startsWith('GATE_')) throw error;
    throw notHealthy(error.message, context, error);
  }
}

function notHealthy(message: string, { settings, unit }: MachineContext, cause?: unknown): UpdaterError {
  return new UpdaterError('GATE_OLD', `The version that was put back is not healthy either: ${message}`, {
    cause,
    remedy: `A person is needed. See: journalctl -u ${unit}. Other staged versions: node-updater versions ${settings.node}`,
  });
}
