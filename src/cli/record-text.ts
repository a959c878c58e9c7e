import { EXIT, unreachable } from '../errors.ts';
import { describeEnding, describeStep } from '../machine/announce.ts';
import { exitOf } from '../machine/conclude.ts';
import type { Entry, LedgerRecord } from '../machine/record.ts';
import type { Transaction, Working } from '../machine/state.ts';
import type { Line } from './output.ts';

/** Says each record of a followed run in a plain line. The caller keeps one for each run: it remembers what is open. */
export interface Narrator {
  lines(record: LedgerRecord): Line[];
}

/** `before`: what stands in the ledger already; a transaction that is open there may be settled by the run. */
export function makeNarrator(before: readonly LedgerRecord[]): Narrator {
  const known = new Map<string, Transaction>();
  for (const { entry } of before) if (entry.kind === 'opened') known.set(entry.transaction.id, entry.transaction);
  return {
    lines({ entry }) {
      if (entry.kind === 'opened') known.set(entry.transaction.id, entry.transaction);
      return narrate(entry, 'tx' in entry ? known.get(entry.tx) : undefined);
    },
  };
}

function narrate(entry: Entry, transaction: Transaction | undefined): Line[] {
  switch (entry.kind) {
    case 'opened':
      return [`${entry.transaction.action}: ${entry.transaction.from ?? 'nothing'} → ${entry.transaction.to}`];
    case 'intent':
      return isIdle(entry.state, transaction) ? [] : [`  ${describeStep(entry.state, transaction)} …`];
    case 'result':
      return resultLines(entry, transaction);
    case 'lifted':
      return [`  ${entry.version} is out of quarantine`];
    case 'ended':
      return transaction === undefined ? [] : [endLine(entry, transaction)];
    // The answer is what the command itself says at its end.
    case 'answer':
      return [];
    default:
      return unreachable(entry);
  }
}

/** A first installation passes through `arm`, and has nothing to fall back to. */
function isIdle(state: Working, transaction: Transaction | undefined): boolean {
  return transaction?.action === 'install' && state === 'arm';
}

function resultLines(entry: Extract<Entry, { kind: 'result' }>, transaction: Transaction | undefined): Line[] {
  const lines: Line[] = [];
  if (entry.failure !== undefined) lines.push({ text: `  ${entry.failure.message}`, tone: 'bad' });
  if (entry.event === 'operator' && entry.failure === undefined) {
    lines.push(`  ${String(entry.facts?.['message'] ?? 'its operator stopped the node')}`);
  }
  if (entry.event === 'later') lines.push('  the node is held down until its data is whole; it is tried again …');
  else if (entry.then === 'yield') lines.push(`  systemd puts ${transaction?.from ?? 'the version before'} back …`);
  return lines;
}

function endLine(entry: Extract<Entry, { kind: 'ended' }>, transaction: Transaction): Line {
  const { outcome, failure, quarantine } = entry;
  const text = describeEnding({ transaction, outcome, failure, quarantine });
  const good = exitOf(outcome, failure, transaction.action) === EXIT.done;
  return { text, tone: good ? 'good' : 'bad' };
}
