/**
 * A node that the file `restoring` holds down for a restore that has ended: a power cut undid its removal, and the ledger has
 * nothing that would go on. Whoever comes first lets it go: the boot and who starts the node set the transaction unit going.
 */
import { cleanUp } from '../activation/clean.ts';
import { exists } from '../if-there.ts';
import { endHold } from '../activation/restore.ts';
import { startNode } from '../activation/start.ts';
import type { NodeLayout } from '../layout.ts';
import type { MachineContext } from './context.ts';
import { countsAgainst, RESTORING, type OpenTransaction } from './recover.ts';
import { failureOf } from './run.ts';

/**
 * Nothing where `restoring` is not there, or is that of the open transaction. Throws what the room, the disk and the bus throw: the
 * node is held down then until the next run. Killed, it is called again, or the fallback starts the node.
 */
export async function endStaleHold(open: OpenTransaction | undefined, context: MachineContext): Promise<void> {
  const { layout, log, unit } = context;
  if (!(await exists(layout.restoring)) || (await isAnothers(open, layout))) return;
  log.warn(
    `${layout.restoring} holds ${unit} down, and no restore is open: that restore has ended, and a power cut has brought the file back. ` +
      'What restores have left is finished, then the node is let go',
  );
  const then = await endHold(context);
  const now = then === 'start' ? await startAgain(context) : 'stays stopped, as its operator left it';
  await cleanUp(context);
  log.warn(`${unit} is let go, and ${now}`);
}

/** The settling run goes on with it, or the fallback is not done. */
async function isAnothers(open: OpenTransaction | undefined, layout: NodeLayout): Promise<boolean> {
  if (await exists(layout.fallback)) return true;
  if (open === undefined) return false;
  return [...RESTORING].some((state) => open.visited.has(state)) || (await exists(layout.openMark));
}

/** How the node is now. What says nothing about the version is thrown: by the marks the fallback starts the node. Else it goes on as its unit says. */
async function startAgain(context: MachineContext): Promise<string> {
  try {
    const { operatorStopped } = await startNode('down', context);
    return operatorStopped ? 'was stopped by its operator meanwhile' : 'runs again';
  } catch (error) {
    const failure = failureOf(error);
    if (!countsAgainst(failure)) throw error;
    context.log.error(`${failure.message}. ${failure.remedy}`, { code: failure.code });
    return 'is left to what its unit says';
  }
}
