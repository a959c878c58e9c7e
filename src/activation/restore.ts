/**
 * Puts a backup back, and with it the version that the node then runs. From the first to the last step the file `restoring`
 * lets nobody start the node, across any crash: no version meets data that is only half there (DESIGN.md section 6).
 */
import { UpdaterError, type ErrorCode } from '../errors.ts';
import type { UnitFacts } from '../host/ports.ts';
import { linkText } from '../layout.ts';
import type { Version } from '../release.ts';
import { finishRestores, restoreBackup } from './backup-room.ts';
import type { ActivationContext } from './context.ts';
import { judgeUnit } from './gate.ts';
import { readOrEmpty } from './read-or-empty.ts';
import { checkRequiredMounts } from './required-mounts.ts';
import { lookAtLeisure, rests, stopNode } from './stop.ts';

export interface Restore {
  readonly backup: string;
  /** Names it: called again with the same, it goes on or is done already. */
  readonly id: string;
  readonly to: Version;
  /** `resting`: its operator had stopped the node before all this. */
  readonly before: 'running' | 'resting';
}

/** What becomes of the node when its data is whole: what its operator stopped stays down. */
export type Then = 'start' | 'rest';

export type RestoreEnd =
  | { readonly kind: 'done'; readonly then: Then }
  /** The data is as it was, and `current` too; the node is still down. */
  | { readonly kind: 'refused'; readonly then: Then; readonly error: UpdaterError }
  /** Perhaps between two renames: what is down stays down, and this is to be called again. */
  | { readonly kind: 'half-done'; readonly error: unknown };

/** Never throws: what it cannot finish leaves the node held down. */
export async function restoreData(restore: Restore, context: ActivationContext): Promise<RestoreEnd> {
  const { files, layout } = context;
  try {
    // A boot has forgotten it; without it nothing goes on should this process die.
    await files.mark(layout.openMark, '');
    const then = await holdDown(restore, context);
    await requireMounts(context);
    const refusal = await putBack(restore, context);
    if (refusal === undefined) await files.switchLink(linkText(restore.to), layout.current);
    await letGo(then, context);
    return refusal === undefined ? { kind: 'done', then } : { kind: 'refused', then, error: refusal };
  } catch (error) {
    return { kind: 'half-done', error };
  }
}

/**
 * Ends a hold whose restore has ended: of all that a restore does, the removal of the file `restoring` alone was not on the disk
 * when the power went. What other restores left between their renames is finished first. With `start` the node is still down, and
 * the marks are there by which the fallback would start it. Throws what the bus, the disk and the room throw; the node is
 * held down then as it was before, and nothing goes on by itself: this is to be called again.
 */
export async function endHold(context: ActivationContext): Promise<Then> {
  const { files, layout } = context;
  const text = await readOrEmpty(layout.restoring);
  const [backup = ''] = text.split('\n');
  const found = await onceMore(text, context);
  // Since the restore its operator may have given it up, and then no boot starts it either.
  const wanted = found === 'start' && (await isDisabled(context)) ? 'rest' : found;
  const then = await keepDown({ backup }, wanted, context);
  await requireMounts(context);
  await finishRestores(context);
  // Not before: without an end to what fails above, the fallback would have it tried again at once, and for ever.
  if (then === 'start') await files.mark(layout.openMark, '');
  await letGo(then, context);
  return then;
}

/** A run that a boot has set going may come before a late mount: below the mount point it would find no data, and lay some there. */
function requireMounts(context: ActivationContext): Promise<void> {
  const { file, node } = context.settings;
  return checkRequiredMounts(
    'A restore without it would lay the data below the mount point, where the mount hides it: the data was not touched, and the node ' +
      `is held down. The next run goes on; now: sudo systemctl start node-updater@${node}.service. If the node's data has moved ` +
      `from there for good, first take it out of \`mounts\` in ${file}.`,
    context,
  );
}

async function isDisabled({ bus, unit }: ActivationContext): Promise<boolean> {
  const { unitFileState } = await bus.facts(unit);
  return unitFileState === 'disabled' || unitFileState.startsWith('masked');
}

async function letGo(then: Then, { bus, files, layout, unit }: ActivationContext): Promise<void> {
  // From here the fallback starts it, should this process die.
  if (then === 'start') await files.mark(layout.downMark, (await bus.facts(unit)).invocationId);
  await files.remove(layout.restoring);
}

/**
 * Stops the node and makes the file `restoring`, which says also what becomes of the node: a run that goes on with the restore
 * finds it down in any case. */
async function holdDown(restore: Restore, context: ActivationContext): Promise<Then> {
  const text = await readOrEmpty(context.layout.restoring);
  const found = text === '' ? await stopFirst(restore, context) : await onceMore(text, context);
  return keepDown(restore, found, context);
}

type Held = Pick<Restore, 'backup'>;

async function keepDown(restore: Held, found: Then, context: ActivationContext): Promise<Then> {
  // Also when it is there: a write that failed may not be on the disk.
  await writeHeld(restore, found, context);
  if (found === 'rest') {
    if (rests(await lookAtLeisure(context))) return 'rest';
    // Somebody had started it before that; said before we stop it, since a run that goes on finds it down in any case.
    await writeHeld(restore, 'start', context);
  }
  await stopNode(context);
  return 'start';
}

async function stopFirst({ before }: Restore, context: ActivationContext): Promise<Then> {
  const stopped = await stopNode(context);
  return stopped.kind === 'was-down' && (before === 'resting' || isOperators(stopped.facts)) ? 'rest' : 'start';
}

async function writeHeld({ backup }: Held, then: Then, { clock, files, layout }: ActivationContext): Promise<void> {
  const rest = then === 'rest' ? `rests ${clock.bootId}\n` : '';
  await files.replace(layout.restoring, `${backup}\n${rest}`, 0o644);
}

function isOperators(facts: UnitFacts): boolean {
  return judgeUnit(facts, { startedAfter: 0n, restarts: facts.service?.nRestarts ?? 0 }).kind === 'operator';
}

/** A boot starts what its operator has enabled, whatever he had stopped before. */
async function onceMore(text: string, { bus, clock, unit }: ActivationContext): Promise<Then> {
  const boot = /^rests (.*)$/m.exec(text)?.[1];
  if (boot === undefined) return 'start';
  const { unitFileState } = await bus.facts(unit);
  return boot !== clock.bootId && unitFileState.startsWith('enabled') ? 'start' : 'rest';
}

/** Undefined when the data is in its place; why it was left as it is, when it was. */
async function putBack({ backup, id }: Restore, context: ActivationContext): Promise<UpdaterError | undefined> {
  try {
    await restoreBackup(backup, id, context);
    return undefined;
  } catch (error) {
    if (error instanceof UpdaterError && leavesData(error)) return error;
    throw error;
  }
}

const MAY_BE_HALF: readonly ErrorCode[] = [
  'BACKUP_RESTORE',
  'BACKUP_ROOM',
  'CONFIG_INVALID',
  'HOST_BUS',
  'HOST_MOUNT',
  'HOST_STATE',
  'HOST_UNIT',
  'USAGE_NOT_PERMITTED',
];

/** A room that died, cannot read its journals or see the data's mount, or could not be asked at all, has said nothing about the data. */
function leavesData({ code }: UpdaterError): boolean {
  return !MAY_BE_HALF.includes(code);
}
