/**
 * One run of a node's transaction unit: settle what was left open, then do what was asked for. Without a request it only
 * settles: that is the run that the fallback starts after it has put a version back.
 */
import { exists } from '../if-there.ts';
import { sweepLeftovers, sweepProbation } from '../activation/sweep.ts';
import { CODES, EXIT, UpdaterError, type ExitCode } from '../errors.ts';
import type { Request } from '../orders.ts';
import { describeStep } from './announce.ts';
import { leaveCause } from './cause.ts';
import { check } from './check.ts';
import { conclude, type Ending } from './conclude.ts';
import type { MachineContext } from './context.ts';
import { planBackup, planRestore } from './data.ts';
import { planDrill } from './drill.ts';
import type { Ledger } from './ledger.ts';
import { blame, blaming } from './own-unit.ts';
import { blocking, planRollback, planUpgrade } from './plan.ts';
import { findOpen, type OpenTransaction } from './recover.ts';
import { describePruned, prune } from './prune.ts';
import { restage } from './restage.ts';
import { drive, failureOf } from './run.ts';
import { endStaleHold } from './stale-hold.ts';
import { isOutcome, type Failure, type Transaction, type Working } from './state.ts';
import { makeSteps } from './steps.ts';
import { begin } from './transitions.ts';

export async function transact(
  request: Request | undefined,
  ledger: Ledger,
  context: MachineContext,
): Promise<ExitCode> {
  try {
    await sweepLeftovers(context);
    const open = findOpen(ledger.records);
    if (open === undefined) {
      if (await isLeftToFallback(context)) throw fallbackFirst(context);
      await sweepProbation(context);
    }
    await endStaleHold(open, context);
    const settled = open === undefined ? undefined : await settleOpen(open, request, ledger, context);
    if (settled === 'yield') return EXIT.rolledBack;
    if (request === undefined) return settled?.exit ?? EXIT.done;
    if (request.kind === 'rollback' && settled !== undefined && wentBack(settled, request, open)) {
      return await answer(request, EXIT.done, 'The update was ended, and the version before runs', ledger);
    }
    if (settled !== undefined && (await exists(context.layout.openMark))) throw fallbackFirst(context);
    return await serve(request, ledger, context);
  } catch (error) {
    return await refuse(request, await blame(error, context), ledger, context);
  }
}

async function serve(request: Request, ledger: Ledger, context: MachineContext): Promise<ExitCode> {
  switch (request.kind) {
    case 'drill':
      return runTransaction(await planDrill(request.id, context), ledger, context);
    case 'prune':
      return answer(request, EXIT.done, describePruned(await prune(request.keep, ledger, context)), ledger);
    case 'restage':
      return answer(request, EXIT.done, await restage(request.version, ledger, context), ledger);
    case 'rollback':
      return runTransaction(await planRollback(request, ledger, context), ledger, context);
    case 'check':
    case 'run':
    case 'upgrade':
      return lookAndUpgrade(request, ledger, context);
    case 'backup':
      return runTransaction(await planBackup(request.id, context), ledger, context);
    case 'restore':
      return runTransaction(await planRestore(request, context), ledger, context);
  }
}

async function lookAndUpgrade(
  request: Exclude<Request, { kind: 'rollback' | 'prune' | 'restage' | 'drill' | 'backup' | 'restore' }>,
  ledger: Ledger,
  context: MachineContext,
): Promise<ExitCode> {
  const wish = request.kind === 'upgrade' ? request : { force: [] };
  const { manifest, decision } = await check(wish, ledger, context);
  const plan = await planUpgrade(decision, manifest.serial, request.id, ledger, context);
  const offered = decision.release?.version;
  if (plan === undefined) {
    const message = blocking(decision)?.message ?? 'nothing is on offer';
    context.log.info(`Nothing to do: ${message}`);
    return answer(request, EXIT.done, `Nothing to do: ${message}`, ledger);
  }
  if (request.kind === 'check') return answer(request, EXIT.offered, `${offered ?? ''} is offered`, ledger);
  if (request.kind === 'upgrade' && request.force.includes('quarantine')) {
    await ledger.append({ kind: 'lifted', version: plan.to, request: request.id });
  }
  const forced = request.kind === 'upgrade' && request.force.length > 0 ? { forced: request.force } : {};
  return runTransaction({ ...plan, ...forced }, ledger, context);
}

async function runTransaction(transaction: Transaction, ledger: Ledger, context: MachineContext): Promise<ExitCode> {
  await ledger.append({ kind: 'opened', transaction });
  const ending = await finish({ transaction, state: begin(transaction) }, ledger, context);
  return ending === 'yield' ? EXIT.rolledBack : ending.exit;
}

async function settleOpen(
  open: OpenTransaction,
  request: Request | undefined,
  ledger: Ledger,
  context: MachineContext,
): Promise<Ending | 'yield'> {
  const { transaction } = open;
  context.log.info(
    `Settling the ${transaction.action} to ${transaction.to}, left at ${open.reached ?? 'its beginning'}`,
  );
  // Who asks for the very version that it was on its way to does not go back from it.
  const asked = request?.kind === 'rollback' && request.to !== transaction.to ? request : undefined;
  return finish({ transaction, state: 'settle', open, asked }, ledger, context);
}

interface Leg {
  readonly transaction: Transaction;
  readonly state: Working;
  /** What the ledger knows of a transaction that another process began, and a rollback that was asked for since. */
  readonly open?: OpenTransaction;
  readonly asked?: Extract<Request, { kind: 'rollback' }> | undefined;
}

async function finish(leg: Leg, ledger: Ledger, context: MachineContext): Promise<Ending | 'yield'> {
  const { transaction, state, open } = leg;
  const narrate = (at: Working): void => {
    context.log.info(describeStep(at, transaction));
  };
  const { state: rest, failure } = await drive(
    transaction,
    state,
    ledger,
    blaming(makeSteps(transaction, open, leg.asked?.kind, ledger, context), context),
    narrate,
  );
  if (!isOutcome(rest)) {
    const quiet = open === undefined ? 'its operator stopped the node' : 'the fallback has not finished its work';
    const reason = failure?.message ?? quiet;
    const then = (await exists(context.layout.restoring))
      ? 'The node is held down until its data is whole'
      : 'systemd puts the version before back';
    context.log.error(`${transaction.to} is not committed: ${reason}. ${then}`);
    return 'yield';
  }
  if (rest === 'committed' && failure !== undefined) {
    context.log.warn(`${transaction.to} is committed, but not everything was tidied up: ${failure.message}`);
  }
  const asked = rest === 'committed' ? undefined : leg.asked;
  return conclude(transaction, { state: rest, failure, asked }, ledger, context);
}

/** The fallback has not restarted the node yet, or has died before it could: the end of this run sets it going once more. */
async function isLeftToFallback({ layout }: MachineContext): Promise<boolean> {
  return (await exists(layout.openMark)) && (await exists(layout.downMark));
}

/** What was settled left the node to the fallback, by its marks: nothing new begins on a node that is down by our doing. */
function fallbackFirst({ settings: { node }, unit }: MachineContext): UpdaterError {
  return new UpdaterError('HOST_LOCKED', `What was left open has ended, and systemd now starts ${unit} again`, {
    remedy: `See that it runs: node-updater status ${node}. Then type the command again; the timer asks again by itself.`,
  });
}

/** Whether settling an interrupted update was all that a requested rollback wanted. */
function wentBack(
  settled: Ending,
  request: Request & { kind: 'rollback' },
  open: OpenTransaction | undefined,
): boolean {
  const returned = settled.outcome === 'rolled-back' || settled.outcome === 'stopped-by-operator';
  return returned && (request.to === undefined || request.to === open?.transaction.from);
}

/** Who asked is answered through the ledger. The timer does not read answers, and an hourly line would only fill the disk. */
async function answer(request: Request, exit: ExitCode, message: string, ledger: Ledger): Promise<ExitCode> {
  if (request.kind === 'run') return exit;
  await ledger.append({ kind: 'answer', request: request.id, exit, message });
  // A unit does not fail because an update is on offer.
  return exit === EXIT.offered ? EXIT.done : exit;
}

async function refuse(
  request: Request | undefined,
  error: unknown,
  ledger: Ledger,
  context: MachineContext,
): Promise<ExitCode> {
  const failure = failureOf(error);
  const exit = CODES[failure.code].exit;
  context.log.error(`${failure.message}. ${failure.remedy}`, { code: failure.code });
  await keepCause(failure, undefined, ledger, context);
  if (request !== undefined && request.kind !== 'run') await tryToAnswer(request.id, exit, failure, ledger, context);
  return exit;
}

/** What ends a transaction without a record of it is the ledger itself; the settling run finds the cause on /run. */
async function keepCause(
  failure: Failure,
  request: string | undefined,
  ledger: Ledger,
  { files, layout, log }: MachineContext,
): Promise<void> {
  const tx = findOpen(ledger.records)?.transaction.id ?? request;
  if (tx === undefined) return;
  try {
    await leaveCause({ tx, failure }, layout, files);
  } catch (error) {
    log.error(`Why the transaction was left could not be kept: ${failureOf(error).message}`);
  }
}

/** The ledger may be what failed; who asked then learns it from the journal alone. */
async function tryToAnswer(
  request: string,
  exit: ExitCode,
  failure: Failure,
  ledger: Ledger,
  context: MachineContext,
): Promise<void> {
  try {
    await ledger.append({ kind: 'answer', request, exit, message: failure.message, failure });
  } catch (error) {
    context.log.error(`The answer could not be recorded: ${failureOf(error).message}`);
    await keepCause(failure, request, ledger, context);
  }
}
