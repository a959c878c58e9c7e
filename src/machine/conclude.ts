import { CODES, EXIT, unreachable, type ExitCode } from '../errors.ts';
import type { MachineContext } from './context.ts';
import type { Request } from '../orders.ts';
import { removeDrill } from './drill.ts';
import { passed } from './drill-passed.ts';
import type { Ledger } from './ledger.ts';
import type { Quarantine } from './record.ts';
import { findOpen, quarantineFor, type OpenTransaction } from './recover.ts';
import { failureOf } from './run.ts';
import { interrupted } from './settle.ts';
import type { Action, Failure, Outcome, Transaction } from './state.ts';
import { announce } from './announce.ts';

export interface Ending {
  readonly exit: ExitCode;
  readonly outcome: Outcome;
}

export interface Over {
  readonly state: Outcome;
  readonly failure: Failure | undefined;
  /** A rollback that its operator asked for while the transaction was open. */
  readonly asked: Extract<Request, { kind: 'rollback' }> | undefined;
}

/** Writes how a transaction ended, and says so in the journal. */
export async function conclude(
  transaction: Transaction,
  left: Over,
  ledger: Ledger,
  context: MachineContext,
): Promise<Ending> {
  if (transaction.action === 'drill') await removeDrill(transaction, context);
  const open = findOpen(ledger.records);
  const failure = causeOf(left, open);
  const quarantine = quarantineOf(transaction, left, open, ledger);
  await ledger.append({
    kind: 'ended',
    tx: transaction.id,
    outcome: left.state,
    ...(failure === undefined ? {} : { failure }),
    ...(quarantine === undefined ? {} : { quarantine }),
  });
  await context.files.remove(context.layout.causeMark);
  await announce({ transaction, outcome: left.state, failure, quarantine }, context);
  return { exit: exitOf(left.state, failure, transaction.action), outcome: left.state };
}

/** What stopped it: what the ledger has on record, else that its process or its host went down. */
function causeOf(left: Over, open: OpenTransaction | undefined): Failure | undefined {
  if (left.state === 'committed' || left.asked !== undefined) return undefined;
  if (left.state === 'stopped-by-operator') return open?.failure;
  if (left.state === 'rollback-failed') return left.failure;
  const known = left.failure ?? open?.failure;
  if (known !== undefined || open === undefined || open.lastEvent === 'operator') return known;
  return failureOf(interrupted(open));
}

function quarantineOf(
  transaction: Transaction,
  left: Over,
  open: OpenTransaction | undefined,
  ledger: Ledger,
): Quarantine | undefined {
  const { action, from, to } = transaction;
  // Nobody wants it back, and it says nothing about any release.
  if (action === 'drill' || action === 'backup') return undefined;
  const message = 'its operator rolled back from it';
  if (left.state === 'committed') {
    // Who goes back by hand does not want the next run of the timer to go forward again.
    const back = action === 'rollback' || (action === 'restore' && from !== to);
    return back && from !== undefined ? { version: from, cause: 'operator', message } : undefined;
  }
  if (action === 'restore') return undefined;
  if (left.asked !== undefined) return { version: to, cause: 'operator', message };
  if (open === undefined || (left.state === 'stopped-by-operator' && open.failure === undefined)) return undefined;
  return quarantineFor(open, ledger.records);
}

export function exitOf(outcome: Outcome, failure: Failure | undefined, action: Action): ExitCode {
  if (action === 'drill' && outcome === 'rolled-back') return passed(failure) ? EXIT.done : EXIT.failed;
  switch (outcome) {
    case 'committed':
      return EXIT.done;
    case 'unchanged':
      return failure === undefined ? EXIT.failed : unchangedExit(CODES[failure.code].exit, action);
    case 'rolled-back':
      // Nothing but the data was to change.
      if (action === 'backup' || action === 'restore')
        return unchangedExit(failure?.code === undefined ? EXIT.failed : CODES[failure.code].exit, action);
      return EXIT.rolledBack;
    case 'rollback-failed':
      return EXIT.rollbackFailed;
    case 'stopped-by-operator':
      return EXIT.failed;
    default:
      return unreachable(outcome);
  }
}

/**
 * A code whose own exit says "rolled back" did not get so far: the node is unchanged. And who asked for a rollback and got
 * none is not told that all is well.
 */
function unchangedExit(exit: ExitCode, action: Action): ExitCode {
  if (action !== 'install' && action !== 'upgrade' && exit === EXIT.done) return EXIT.failed;
  return exit === EXIT.rolledBack || exit === EXIT.rollbackFailed ? EXIT.failed : exit;
}
