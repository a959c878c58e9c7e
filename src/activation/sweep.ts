/**
 * Removes what the death of a transaction left behind: half-written temporary files, directories that were being staged,
 * copies of archives. Nothing of it is in use, for the caller holds the node's lock; nothing of it decides anything
 * (DESIGN.md section 6), so that a failure to remove it is only told.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { cleanUp } from './clean.ts';
import type { ActivationContext } from './context.ts';
import { exists, ifThere } from '../if-there.ts';
import { removeLeftovers } from './stage.ts';

export async function sweepLeftovers(context: ActivationContext): Promise<void> {
  const { files, layout, log } = context;
  const sweeps = [
    ...[layout.home, layout.versions, layout.state, layout.run].map((directory) => files.sweep(directory, () => true)),
    // The directories of the units are shared with others.
    ...[layout.probation, layout.unitFile, layout.unitDropIn, layout.probeDropIn].map((path) =>
      files.sweep(dirname(path), (name) => name === basename(path)),
    ),
    removeLeftovers(layout, files),
    emptyIncoming(context),
  ];
  for (const swept of await Promise.allSettled(sweeps)) {
    if (swept.status === 'fulfilled') continue;
    log.warn(`Leftovers of an earlier run stay until the next one: ${String(swept.reason)}`);
  }
}

/**
 * What neither the fallback nor the transaction could remove when nothing is open: a mark would decide about the next
 * transaction, and the drop-in would keep a committed version on probation. A failure is only told.
 */
export async function sweepProbation(context: ActivationContext): Promise<void> {
  const { files, layout, log } = context;
  try {
    // With it there, the fallback is not done.
    if ((await exists(layout.fallback)) || !(await isLeft(context))) return;
    await files.remove(layout.restartMark);
    await cleanUp(context);
  } catch (error) {
    log.warn(`What is left of a probation stays until the next run: ${String(error)}`);
  }
}

async function isLeft({ bus, layout, unit }: ActivationContext): Promise<boolean> {
  const marks = [layout.openMark, layout.downMark, layout.stoppedMark, layout.restartMark, layout.probation];
  for (const path of marks) if (await exists(path)) return true;
  // Removed, and not yet forgotten by systemd.
  return (await bus.facts(unit)).dropInPaths.includes(layout.probation);
}

async function emptyIncoming({ files, layout }: ActivationContext): Promise<void> {
  for (const name of await ifThere(readdir(layout.incoming), [])) await files.removeTree(`${layout.incoming}/${name}`);
}
