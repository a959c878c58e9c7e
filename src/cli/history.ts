/** `node-updater history`: what was done to a node, newest first. */
import { EXIT } from '../errors.ts';
import type { LedgerRecord } from '../machine/record.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode } from './facts.ts';
import type { Host } from './host.ts';
import { viewLedger } from './ledger-view.ts';
import type { Line } from './output.ts';
import { describeError, type Format } from './report-error.ts';
import { table } from './table.ts';
import { isoTime, moment, span } from './times.ts';
import { viewTransactions, type TransactionView } from './transactions.ts';

export interface HistoryReport {
  readonly schema: 1;
  readonly node: string;
  /** Newest first. */
  readonly transactions: readonly (Omit<TransactionView, 'opened' | 'ended'> & {
    readonly opened: string;
    readonly ended?: string;
  })[];
  /** As they stand in the ledger, oldest first, from the oldest transaction above on. */
  readonly records: readonly LedgerRecord[];
  readonly damage?: { readonly code: string; readonly message: string; readonly remedy: string };
}

export async function history(command: CommandOf<'history'>, format: Format, host: Host): Promise<Ended> {
  const node = oneNode(command.node, host);
  const { records, damage } = await viewLedger(host.layout.node(node).ledger);
  if (format === 'json') host.output.json(reportHistory(node, records, command.limit, damage));
  else if (damage === undefined || records.length > 0)
    host.output.print(historyLines(node, viewTransactions(records), command.limit));
  if (damage === undefined) return EXIT.done;
  if (format === 'text') host.output.complain(['What can still be read ends here.', ...describeError(damage)]);
  return damage.exit;
}

export function reportHistory(
  node: string,
  records: readonly LedgerRecord[],
  limit: number,
  damage?: HistoryReport['damage'],
): HistoryReport {
  const all = viewTransactions(records);
  const shown = all.slice(-limit);
  const first = shown.length === all.length ? 0 : (shown[0]?.record ?? 0);
  return {
    schema: 1,
    node,
    transactions: shown.toReversed().map(({ opened, ended, ...view }) => ({
      ...view,
      opened: isoTime(opened),
      ...(ended === undefined ? {} : { ended: isoTime(ended) }),
    })),
    records: records.filter(({ n }) => n >= first),
    ...(damage === undefined ? {} : { damage: { code: damage.code, message: damage.message, remedy: damage.remedy } }),
  };
}

const HEAD = ['TIME', 'ACTION', 'FROM → TO', 'OUTCOME', 'TOOK', 'DOWN', 'REASON'];

export function historyLines(node: string, all: readonly TransactionView[], limit: number): Line[] {
  if (all.length === 0) return [`Nothing was done to ${node} yet.`, '', `Next: node-updater why ${node}`];
  const shown = all.slice(-limit).toReversed();
  const lines = table([HEAD, ...shown.map(row)]);
  const more = all.length - shown.length;
  return [
    ...lines.map((text, at): Line => toned(text, shown[at - 1])),
    ...(more === 0 ? [] : ['', `${more} more: node-updater history ${node} --limit ${all.length}`]),
  ];
}

function row(view: TransactionView): string[] {
  return [
    moment(view.opened),
    view.action,
    `${view.from ?? '-'} → ${view.to}`,
    view.outcome.replaceAll('-', ' '),
    view.duration === undefined ? '-' : span(view.duration),
    view.downtime === undefined ? '-' : span(view.downtime),
    reason(view),
  ];
}

function reason({ failure, quarantine, outcome, reached }: TransactionView): string {
  if (failure !== undefined) return failure.message;
  if (quarantine !== undefined) return quarantine.message;
  return outcome === 'open' ? `at ${reached ?? 'its beginning'}` : '';
}

function toned(text: string, view: TransactionView | undefined): Line {
  return view === undefined || view.outcome === 'committed' || view.outcome === 'open' ? text : { text, tone: 'bad' };
}
