/**
 * The steps that touch the node's data, and the way forward: a version without a way back runs on until it is proven, or
 * its gate fails and the backup is restored (DESIGN.md section 6).
 */
import { arm } from '../activation/arm.ts';
import { createBackup, dropBefore, finishRestores, pruneBackups, sealBackup } from '../activation/backup-room.ts';
import { cleanUp } from '../activation/clean.ts';
import { isSocketActivated, wasStopped } from '../activation/gate.ts';
import { exists } from '../if-there.ts';
import { restoreData, type Then } from '../activation/restore.ts';
import { startNode } from '../activation/start.ts';
import { isDown, rests, stopNode } from '../activation/stop.ts';
import { UpdaterError } from '../errors.ts';
import type { MachineContext } from './context.ts';
import type { Ledger } from './ledger.ts';
import { dataOf } from './plan.ts';
import type { Progress } from './progress.ts';
import { countsAgainst, RESTORING, type OpenTransaction } from './recover.ts';
import { failureOf, type Answer } from './run.ts';
import type { Transaction } from './state.ts';

const OK: Answer = { event: 'ok' };

/** How often a version may be left without proof before a person is asked to look. */
const MOST_RESUMES = 5;

/** How often an unfinished restore is gone on with at once. */
const MOST_TRIES = 3;

/** The step `stop`: only for a backup; else one restart is all. */
export async function stopForBackup(progress: Progress, context: MachineContext): Promise<Answer> {
  const facts = await context.bus.facts(context.unit);
  if (isDown(facts)) {
    if (progress.before === 'resting') return { event: 'resting' };
    // What rests until its socket wakes it waits for the backup room by its drop-in.
    return isSocketActivated(facts) ? OK : stoppedMeanwhile(context);
  }
  if ((await stopNode(context)).kind === 'was-down') return stoppedMeanwhile(context);
  progress.before = 'down';
  return OK;
}

function stoppedMeanwhile({ unit }: MachineContext): Answer {
  return { event: 'operator', facts: { message: `${unit} was stopped by its operator` } };
}

/** The step `backup`. */
export async function backUp(
  { action, from, to }: Transaction,
  progress: Progress,
  ledger: Ledger,
  context: MachineContext,
): Promise<Answer> {
  const reason = action === 'backup' ? 'asked for' : `before ${to}`;
  const epoch = dataOf(from, ledger)?.epoch;
  const occasion = { reason, ...(from === undefined ? {} : { from }), ...(epoch === undefined ? {} : { epoch }) };
  progress.backup = await createBackup(occasion, context);
  return { event: 'ok', facts: { backup: progress.backup } };
}

/** A version without a way back is not left to systemd when it fails its gate. What says nothing about it still is. */
export async function orStranded({ way }: Transaction, step: () => Promise<Answer>): Promise<Answer> {
  try {
    return await step();
  } catch (error) {
    const failure = failureOf(error);
    if (way === undefined || !countsAgainst(failure)) throw error;
    return { event: 'stranded', failure };
  }
}

/** The step `resume`: a version without a way back was left in its soak; it runs on, and the soak begins anew. */
export async function resume(
  { id, to }: Transaction,
  progress: Progress,
  ledger: Ledger,
  context: MachineContext,
): Promise<Answer> {
  const times = ledger.records.filter(
    ({ entry }) => entry.kind === 'intent' && entry.tx === id && entry.state === 'resume',
  );
  if (times.length > MOST_RESUMES) {
    await cleanUp(context);
    return { event: 'unproven', failure: failureOf(unproven(to, context)) };
  }
  await arm(undefined, context);
  const facts = await context.bus.facts(context.unit);
  // What has failed by itself is started again, and judged.
  if (rests(facts) && !isSocketActivated(facts) && (facts.activeState === 'inactive' || wasStopped(facts))) {
    return stoppedSince(context);
  }
  const since = switchedAt(id, ledger, context);
  const missed = facts.service !== undefined && facts.service.execMainStartMonotonic < since;
  // Between the halves of a restart it is on its way.
  const failed = facts.activeState === 'failed' && rests(facts);
  if (!failed && !missed) {
    progress.baseline = { startedAfter: 0n, restarts: facts.service?.nRestarts ?? 0 };
    return OK;
  }
  const { startedAfter, operatorStopped } = await startNode(failed ? 'down' : 'running', context);
  progress.baseline = { startedAfter, restarts: 0 };
  return operatorStopped ? stoppedSince(context) : OK;
}

/**
 * From when on, in microseconds of CLOCK_MONOTONIC, a process is of the version that was switched to. The run that switched
 * may have died before the restart, and then the version before still runs. 0 in a later boot: that starts what `current` names.
 */
function switchedAt(id: string, { records }: Ledger, { clock }: MachineContext): bigint {
  const intent = records.findLastIndex(
    ({ entry }) => entry.kind === 'intent' && entry.tx === id && entry.state === 'activate',
  );
  const after = intent === -1 ? undefined : records[intent + 1];
  return after?.boot === clock.bootId ? BigInt(after.mono) : 0n;
}

async function stoppedSince(context: MachineContext): Promise<Answer> {
  await cleanUp(context);
  return stoppedMeanwhile(context);
}

function unproven(to: string, { settings, unit }: MachineContext): UpdaterError {
  return new UpdaterError(
    'ACTIVATE_INTERRUPTED',
    `The updater went down ${MOST_RESUMES} times while ${to} was on probation`,
    {
      remedy: `${to} runs on, unproven. See whether it is healthy, and what ends the updater: journalctl -u node-updater@${settings.node} -u ${unit}`,
    },
  );
}

/** The step `restore`: what its operator asked for. Idempotent by the transaction's id. */
export async function restore(
  { id, restore: backup = '', to }: Transaction,
  progress: Progress,
  open: OpenTransaction | undefined,
  ledger: Ledger,
  context: MachineContext,
): Promise<Answer> {
  const before = progress.before === 'resting' || open?.rests === 'yes' ? 'resting' : 'running';
  const end = await restoreData({ backup, id, to, before }, context);
  if (end.kind === 'half-done') return heldDown(end.error, id, ledger, context);
  const problem = await startAgain(end.then, id, progress, ledger, context);
  if (problem !== undefined) return problem;
  if (end.kind === 'refused') return { event: 'refused', failure: failureOf(end.error) };
  return { event: end.then === 'rest' ? 'resting' : 'ok', facts: { restored: backup } };
}

/** The step `go-back` of a version that is stranded: its data as it was before, and the version before. Idempotent. */
export async function goBack(
  transaction: Transaction,
  progress: Progress,
  open: OpenTransaction | undefined,
  ledger: Ledger,
  context: MachineContext,
): Promise<Answer> {
  const { id, action, from, data } = transaction;
  const backup = progress.backup ?? open?.backup;
  const possible = action === 'upgrade' && data?.rollback !== 'never';
  if (!possible || backup === undefined || from === undefined) {
    await cleanUp(context);
    throw noWayBack(transaction, context);
  }
  const end = await restoreData({ backup, id, to: from, before: 'running' }, context);
  if (end.kind === 'half-done') return heldDown(end.error, id, ledger, context);
  const problem = await startAgain(end.then, id, progress, ledger, context);
  if (problem !== undefined) return problem;
  if (end.kind === 'done') return { event: 'ok', facts: { restored: backup } };
  await cleanUp(context);
  const { remedy, ...failure } = failureOf(end.error);
  return { event: 'failed', failure: { ...failure, remedy: `${remedy} ${afterwards(transaction, context)}` } };
}

/** The data is as the candidate left it. */
function afterwards({ from, to }: Transaction, { settings: { node } }: MachineContext): string {
  return `Until then ${to} runs on as its unit says; then: sudo node-updater rollback ${node} --to ${from ?? ''} --restore-data`;
}

/**
 * The node stays down until the restore is finished. The mark `open` has the fallback start us again at once; after some
 * tries it goes, and the next run goes on, or a boot, or who starts the node. What was not begun ends after these tries.
 */
async function heldDown(error: unknown, tx: string, ledger: Ledger, context: MachineContext): Promise<Answer> {
  const { files, layout, log } = context;
  const failure = failureOf(error);
  if (!isLastTry(tx, ledger)) return { event: 'later', failure };
  // Nothing was begun: by our marks the fallback starts what we have stopped.
  if (!(await exists(layout.restoring))) throw error;
  try {
    await files.remove(layout.openMark);
  } catch (second) {
    log.warn(`The fallback goes on with the restore at once: ${failureOf(second).message}`);
  }
  return { event: 'later', failure };
}

function isLastTry(tx: string, { records }: Ledger): boolean {
  const tries = records.filter(({ entry }) => entry.kind === 'intent' && entry.tx === tx && RESTORING.has(entry.state));
  return tries.length >= MOST_TRIES;
}

/**
 * Undefined when the node is up again, or is to rest. What says nothing about the version that was to start is tried again: the
 * fallback starts the node by its mark, and then us.
 */
async function startAgain(
  then: Then,
  tx: string,
  progress: Progress,
  ledger: Ledger,
  context: MachineContext,
): Promise<Answer | undefined> {
  const { files, layout } = context;
  if (then === 'rest') {
    await files.mark(layout.stoppedMark, '');
    return undefined;
  }
  try {
    const { startedAfter } = await startNode('down', context);
    progress.baseline = { startedAfter, restarts: 0 };
    return undefined;
  } catch (error) {
    const failure = failureOf(error);
    if (!countsAgainst(failure) && !isLastTry(tx, ledger)) return { event: 'later', failure };
    if (countsAgainst(failure)) await cleanUp(context);
    throw error;
  }
}

function noWayBack({ action, from, to }: Transaction, { settings, unit }: MachineContext): UpdaterError {
  const message =
    action === 'backup' || action === 'restore'
      ? `${to} is not healthy after the ${action}, and nothing is left to go back to`
      : `${to} has moved the data on, and there is no way back to ${from ?? 'the version before'}`;
  return new UpdaterError('GATE_OLD', message, {
    remedy:
      `A person is needed. ${to} runs on as its unit says. See: journalctl -u ${unit}. ` +
      `A later release is taken as soon as it is offered: node-updater why ${settings.node}`,
  });
}

/** After a commit: the new backup is read once, old ones go, and so does what earlier restores kept. What fails is told. */
export async function tidyBackups(
  { id }: Transaction,
  progress: Progress,
  open: OpenTransaction | undefined,
  context: MachineContext,
): Promise<void> {
  if (context.settings.backup === undefined) return;
  const backup = progress.backup ?? open?.backup;
  try {
    if (backup !== undefined) await sealBackup(backup, context);
    await pruneBackups(backup === undefined ? [] : [backup], context);
    for (const restore of await finishRestores(context)) if (restore !== id) await dropBefore(restore, context);
  } catch (error) {
    context.log.warn(`The backups were not tidied up: ${failureOf(error).message}`);
  }
}
