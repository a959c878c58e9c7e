import { CODES, unreachable } from '../errors.ts';
import { describeDrill } from './drill.ts';
import { passed } from './drill-passed.ts';
import type { MachineContext } from './context.ts';
import type { Quarantine } from './record.ts';
import type { Failure, Outcome, Transaction, Working } from './state.ts';

/** MESSAGE_IDs of what went as it should; failures carry the one of their code. Never reused. */
const MESSAGE_IDS: Readonly<Record<Outcome, string>> = {
  committed: '6d3a1c5e8f0b4a7d9e21c4b7a5f80c01',
  unchanged: '6d3a1c5e8f0b4a7d9e21c4b7a5f80c02',
  'rolled-back': '6d3a1c5e8f0b4a7d9e21c4b7a5f80c03',
  'rollback-failed': '6d3a1c5e8f0b4a7d9e21c4b7a5f80c04',
  'stopped-by-operator': '6d3a1c5e8f0b4a7d9e21c4b7a5f80c05',
};

const DRILL_PASSED = '6d3a1c5e8f0b4a7d9e21c4b7a5f80c06';

export interface Ended {
  readonly transaction: Transaction;
  readonly outcome: Outcome;
  readonly failure: Failure | undefined;
  readonly quarantine: Quarantine | undefined;
}

/** The milestone that an operator searches the journal for; the log writes its fields as NODE_UPDATER_NODE and so on. */
export async function announce(ended: Ended, context: MachineContext): Promise<void> {
  const { transaction, outcome, failure, quarantine } = ended;
  const drilled = transaction.action === 'drill' && outcome === 'rolled-back' && passed(failure);
  const id = drilled ? DRILL_PASSED : failure === undefined ? MESSAGE_IDS[outcome] : CODES[failure.code].messageId;
  // Of a drill that passed, what stopped the version was made to.
  const remedy = failure === undefined || drilled ? '' : ` ${failure.remedy}`;
  await context.log.milestone(id, `${describeEnding(ended)}${remedy}`, {
    node: context.settings.node,
    transaction: transaction.id,
    action: transaction.action,
    from: transaction.from,
    to: transaction.to,
    outcome: outcome,
    code: failure?.code,
    quarantined: quarantine?.version,
  });
}

/** One sentence or two for the journal and `history`. */
export function describeEnding(ended: Ended): string {
  const { transaction, outcome, failure, quarantine } = ended;
  if (transaction.action === 'drill') return describeDrill(transaction, outcome, failure);
  if (transaction.action === 'backup' || transaction.action === 'restore') return describeData(ended);
  const { from, to } = transaction;
  const why = failure === undefined ? '' : `: ${failure.message}`;
  const kept =
    quarantine === undefined ? '' : ` ${quarantine.version} is in quarantine: it is not tried again by itself.`;
  const data = transaction.way === 'forward' ? ', its data with it,' : '';
  const back = from === undefined ? `${to} was removed again` : `The node${data} was put back to ${from} from ${to}`;
  const stuck = transaction.way === 'forward' ? `${to} has no way back to ${from ?? 'nothing'} and runs on` : back;
  switch (outcome) {
    case 'committed':
      return `${to} is committed${from === undefined ? '' : ` (before: ${from})`}.${kept}`;
    case 'unchanged':
      return `${to} was not activated, the node is unchanged${why}.${kept}`;
    case 'rolled-back':
      return `${back}${why}.${kept}`;
    case 'rollback-failed':
      return `${from === undefined ? `${to} could not be removed again` : stuck}${why}. A person is needed.${kept}`;
    case 'stopped-by-operator':
      return `The node was stopped by its operator while ${to} was on probation; ${transaction.way === 'forward' ? to : (from ?? 'nothing')} is current, and it stays stopped.`;
    default:
      return unreachable(outcome);
  }
}

/** A backup, or one put back. */
function describeData({ transaction: { action, from, to, restore }, outcome, failure, quarantine }: Ended): string {
  const why = failure === undefined ? '' : `: ${failure.message}`;
  const kept = quarantine === undefined ? '' : ` ${quarantine.version} is not taken again by itself.`;
  const what = action === 'backup' ? 'The backup' : `The restore of ${restore ?? 'a backup'}`;
  switch (outcome) {
    case 'committed':
      return action === 'backup'
        ? `The data of ${to} is backed up, and the node is as it was before.`
        : `${restore ?? 'The backup'} is put back, and ${to} is current${from === to ? '' : ` (before: ${from ?? ''})`}.${kept}`;
    case 'unchanged':
      return `${what} was not made, the node is unchanged${why}.`;
    case 'rolled-back':
      return `${what} was not made${why}. ${from ?? ''} runs as before, on the data as it was.`;
    case 'rollback-failed':
      return `${what} went wrong${why}. A person is needed.`;
    case 'stopped-by-operator':
      return `The node was stopped by its operator meanwhile; ${to} is current, and it stays stopped.`;
  }
}

/** What a step is about to do, for who follows and for the journal. */
export function describeStep(state: Working, transaction: Transaction | undefined): string {
  const to = transaction?.to ?? 'the release';
  const from = transaction?.from ?? 'the version before';
  const texts: Readonly<Record<Working, string>> = {
    fetch: `fetching ${to}`,
    verify: `verifying ${to}`,
    stage: `staging ${to}`,
    preflight: `trying ${to} before anything is stopped`,
    arm: `arming the fallback to ${from}`,
    stop: `stopping the node, so that its data is quiet`,
    backup: 'backing up the data of the node',
    activate: `activating ${to}`,
    start: `restarting into ${to}`,
    soak: `soaking ${to}`,
    commit: `committing ${to}`,
    clean: 'cleaning up',
    prune: 'removing versions that nobody needs any more',
    settle: `settling what was left of ${to}`,
    withdraw: `withdrawing ${to}`,
    'gate-old': `proving that ${from} is healthy`,
    resume: `${to} has no way back and runs on: going on with its soak`,
    restore: 'putting the backup of the data back, with the node held down',
    'go-back': `putting the data back as ${from} left it, with the node held down`,
  };
  return texts[state];
}
