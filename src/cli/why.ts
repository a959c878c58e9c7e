/** `node-updater why`: every gate that passed, the one that blocks, and when it opens. From the last look; asks nobody. */
import { EXIT } from '../errors.ts';
import { quarantined } from '../machine/recover.ts';
import type { Quarantine } from '../machine/record.ts';
import type { Failure } from '../machine/state.ts';
import type { Gate } from '../policy/decide.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode, readFacts, type NodeFacts } from './facts.ts';
import type { Host } from './host.ts';
import { stateOf } from './node-state.ts';
import type { Line } from './output.ts';
import type { Format } from './report-error.ts';
import { table } from './table.ts';
import { ago, ahead, isoTime, moment } from './times.ts';
import { viewTransactions, type TransactionView } from './transactions.ts';
import { askUnits, TIMER, type Units } from './units.ts';

export interface WhyReport {
  readonly schema: 1;
  readonly node: string;
  readonly current?: string;
  readonly offered?: string;
  readonly state: string;
  /** True: the next run installs it. Absent: no answer of the source is known. */
  readonly install?: boolean;
  readonly gates: readonly (Omit<Gate, 'opens'> & { readonly opens?: string })[];
  readonly quarantine: readonly Quarantine[];
  readonly checked?: string;
  readonly answered?: string;
  /** When the publisher's statement goes out of date. */
  readonly expires?: string;
  readonly checkFailure?: Failure;
  readonly lastFailure?: Failure & { readonly version: string; readonly at: string };
  readonly nextRun?: string;
}

export async function why(command: CommandOf<'why'>, format: Format, host: Host): Promise<Ended> {
  const node = oneNode(command.node, host);
  const [units, facts] = await Promise.all([askUnits([node], host.run), readFacts(node, host)]);
  for (const problem of facts.problems)
    host.output.complain([`node-updater: ${problem.message}`, `  → ${problem.remedy}`]);
  const report = reportWhy(facts, units);
  if (format === 'json') host.output.json(report);
  else host.output.print(whyLines(report, host.clock().now()));
  return EXIT.done;
}

export function reportWhy(facts: NodeFacts, units: Units): WhyReport {
  const { check, links, ledger, node } = facts;
  const gates = gatesNow(facts);
  const last = lastFailed(viewTransactions(ledger.records));
  const next = units.known ? units.units.get(TIMER)?.next : undefined;
  return {
    schema: 1,
    node,
    ...(links.current === undefined ? {} : { current: links.current }),
    ...(check?.offered === undefined ? {} : { offered: check.offered }),
    state: stateOf(facts, units).text,
    ...(check?.install === undefined ? {} : { install: gates.every(({ passed }) => passed) }),
    gates: gates.map(({ opens, ...gate }) => ({
      ...gate,
      ...(opens === undefined ? {} : { opens: isoTime(opens) }),
    })),
    quarantine: [...quarantined(ledger.records).values()],
    ...(check === undefined ? {} : { checked: isoTime(check.at) }),
    ...(check?.answered === undefined ? {} : { answered: isoTime(check.answered) }),
    ...(check?.expires === undefined ? {} : { expires: isoTime(check.expires) }),
    ...(check?.failure === undefined ? {} : { checkFailure: check.failure }),
    ...(last?.failure === undefined
      ? {}
      : { lastFailure: { ...last.failure, version: last.to, at: isoTime(last.ended ?? last.opened) } }),
    ...(next === undefined ? {} : { nextRun: isoTime(next) }),
  };
}

/** A version that was committed after it had failed is nothing to worry about any more: it runs, or has run. */
function lastFailed(all: readonly TransactionView[]): TransactionView | undefined {
  const at = all.findLastIndex(({ failure }) => failure !== undefined);
  const last = all[at];
  return all.slice(at + 1).some(({ to, outcome }) => to === last?.to && outcome === 'committed') ? undefined : last;
}

/** The gates of the last look, but for the two that this host itself may have closed or opened since. */
function gatesNow({ check, links, ledger }: NodeFacts): readonly Gate[] {
  const { gates = [], offered } = check ?? {};
  if (offered === undefined) return gates;
  const bad = quarantined(ledger.records).get(offered);
  return gates.map((gate): Gate => {
    if (gate.gate === 'newer' && offered === links.current) {
      return { gate: 'newer', passed: false, message: `${offered} is what runs` };
    }
    if (gate.gate !== 'quarantine') return gate;
    const message = bad === undefined ? 'it has not failed here' : `it failed here: ${bad.message}`;
    return { gate: 'quarantine', passed: bad === undefined, message };
  });
}

export function whyLines(report: WhyReport, now: number): Line[] {
  return [
    headline(report),
    ...gateLines(report, now),
    ...quarantineLines(report),
    ...failureLines(report, now),
    '',
    ...table(times(report, now)).map((line): Line => ({ text: line, tone: 'dim' })),
    '',
    `Next: ${nextCommand(report)}`,
  ];
}

function headline({ node, current, offered, install, state, gates }: WhyReport): Line {
  const runs = current === undefined ? `${node} is not installed` : `${node} runs ${current}`;
  if (install === undefined) return `${runs} (${state}). What is on offer is not known yet.`;
  if (offered === undefined || offered === current) return `${runs} (${state}), and nothing newer is on offer.`;
  if (install) return `${runs} (${state}). ${offered} is on offer, no gate blocks it: the next run takes it.`;
  const blocks = gates.filter(({ passed }) => !passed).map(({ gate }) => gate);
  return `${runs} (${state}). ${offered} is on offer, and blocked by: ${blocks.join(', ')}.`;
}

function gateLines({ gates }: WhyReport, now: number): Line[] {
  if (gates.length === 0) return [];
  const rows = gates.map(({ passed, gate, message, opens }) => {
    const until = opens === undefined ? '' : `; opens ${ahead(Date.parse(opens), now)}, ${moment(Date.parse(opens))}`;
    return [passed ? '  pass ' : '  BLOCK', gate, `${message}${until}`];
  });
  const lines = table(rows);
  return ['', ...lines.map((text, at): Line => (gates[at]?.passed === false ? { text, tone: 'bad' } : text))];
}

function quarantineLines({ quarantine, node }: WhyReport): Line[] {
  if (quarantine.length === 0) return [];
  const rows = quarantine.map(({ version, cause, message }) => [`  ${version}`, cause, message]);
  const lift = `  → A later version is taken all the same. To try one again: node-updater upgrade ${node} --to VERSION --force quarantine`;
  return ['', 'In quarantine, until a later version comes or you say otherwise:', ...table(rows), lift];
}

function failureLines({ checkFailure, lastFailure }: WhyReport, now: number): Line[] {
  const lines: Line[] = [];
  if (checkFailure !== undefined) {
    lines.push(
      '',
      { text: `The last look failed: ${checkFailure.message}`, tone: 'bad' },
      `  → ${checkFailure.remedy}`,
    );
  }
  if (lastFailure !== undefined) {
    const text = `${lastFailure.version} failed here ${ago(Date.parse(lastFailure.at), now)}: ${lastFailure.message}`;
    lines.push('', text, `  → ${lastFailure.remedy}`);
  }
  return lines;
}

function times({ checked, answered, expires, nextRun }: WhyReport, now: number): string[][] {
  const at = (text: string | undefined): string => (text === undefined ? 'never' : ago(Date.parse(text), now));
  return [
    ['Last look', at(checked)],
    ['Last answer', at(answered)],
    ...(expires === undefined ? [] : [['Answer holds until', moment(Date.parse(expires))]]),
    ['Next run', nextRun === undefined ? 'not known' : ahead(Date.parse(nextRun), now)],
  ];
}

function nextCommand({ node, install, offered, current }: WhyReport): string {
  if (install === undefined) return `sudo node-updater check ${node}`;
  if (install && offered !== current) return `sudo node-updater upgrade ${node}, or wait for the next run`;
  return `node-updater history ${node}`;
}
