/** `node-updater why`: every gate that passed, the one that blocks, and when it opens. From the last look; asks nobody. */
import { EXIT, type ExitCode } from '../errors.ts';
import { quarantined } from '../machine/recover.ts';
import type { Quarantine } from '../machine/record.ts';
import type { Failure } from '../machine/state.ts';
import { quarantineGate, type Gate } from '../policy/decide.ts';
import { compareVersions } from '../version.ts';
import type { CommandOf, Ended } from './command.ts';
import { viewConfig, type ConfigView, type Trouble } from './config-view.ts';
import { oneNode, readFacts, type NodeFacts } from './facts.ts';
import type { Host } from './host.ts';
import { nextRunOf } from './next-run.ts';
import { stateOf, type StateName } from './node-state.ts';
import type { Format } from './report-error.ts';
import { diskTroubles, fallbackTroubles, warningsOf } from './status-report.ts';
import { isoTime } from './times.ts';
import { viewTransactions, type TransactionView } from './transactions.ts';
import { askUnits, isDown, TIMER, type Units } from './units.ts';
import { whyLines } from './why-text.ts';

export interface WhyReport {
  readonly schema: 1;
  readonly node: string;
  readonly current?: string;
  readonly offered?: string;
  readonly state: StateName;
  readonly stateText: string;
  /** What stops every update of this node until a person has mended it. */
  readonly problems: readonly Trouble[];
  /** Nothing newer is on offer. */
  readonly upToDate: boolean;
  /** True: the next run installs it. Absent: no answer of the source is known. */
  readonly install?: boolean;
  readonly gates: readonly (Omit<Gate, 'opens'> & { readonly opens?: string })[];
  /** `stopped`: its operator stopped the node, so what is staged is not activated. */
  readonly unit?: 'up' | 'stopped';
  readonly timer?: 'on' | 'off';
  /** Of what could still come: what is older than the version that runs is not taken anyway. */
  readonly quarantine: readonly Quarantine[];
  readonly minimum?: string;
  readonly suggested?: string;
  readonly checked?: string;
  readonly answered?: string;
  /** When the publisher's statement goes out of date. */
  readonly expires?: string;
  readonly checkFailure?: Failure;
  readonly lastFailure?: LastFailure;
  /** What nobody is stopped by yet: a key or a statement that goes out of date soon, a mirror that serves what nobody signed. */
  readonly warnings?: readonly Trouble[];
  readonly nextRun?: string;
}

export type LastFailure = Failure & {
  readonly version: string;
  readonly at: string;
  readonly outcome: TransactionView['outcome'];
};

export async function why(command: CommandOf<'why'>, format: Format, host: Host): Promise<Ended> {
  const node = oneNode(command.node, host);
  const [units, facts, config] = await Promise.all([
    askUnits([node], host.run),
    readFacts(node, host),
    viewConfig(host),
  ]);
  const report = reportWhy(facts, units, config);
  if (format === 'json') host.output.json(report);
  else host.output.print(whyLines(report, host.clock().now()));
  return exitOfWhy(report);
}

/** 0 unless something stops the node that only a person can mend. */
export function exitOfWhy({ problems }: WhyReport): ExitCode {
  const [first] = problems;
  if (first === undefined) return EXIT.done;
  if (problems.some(({ code }) => code === 'ACTIVATE_REVERT')) return EXIT.rollbackFailed;
  return problems.every(({ code }) => code.startsWith('CONFIG_')) ? EXIT.configuration : EXIT.failed;
}

export function reportWhy(facts: NodeFacts, units: Units, config: ConfigView): WhyReport {
  const { check, links, ledger, node } = facts;
  const gates = gatesNow(facts);
  const problems = troublesOf(facts, units, config);
  const { state, text } = stateOf(facts, units);
  return {
    schema: 1,
    node,
    ...(links.current === undefined ? {} : { current: links.current }),
    ...(check?.offered === undefined ? {} : { offered: check.offered }),
    state,
    stateText: text,
    problems,
    upToDate: isUpToDate(facts, gates),
    ...(check?.install === undefined ? {} : { install: problems.length === 0 && gates.every(({ passed }) => passed) }),
    gates: gates.map(({ opens, ...gate }) => ({
      ...gate,
      ...(opens === undefined ? {} : { opens: isoTime(opens) }),
    })),
    ...around(facts, units),
    quarantine: [...quarantined(ledger.records).values()].filter(
      ({ version }) => links.current === undefined || compareVersions(version, links.current) > 0,
    ),
    ...(check?.minimum === undefined ? {} : { minimum: check.minimum }),
    ...(check?.suggested === undefined ? {} : { suggested: check.suggested }),
    ...timesOf(facts, units, config),
    ...failuresOf(facts, units),
    ...warningsOf(facts),
  };
}

/** What stops all updates: of the configuration what is this node's or everybody's. */
function troublesOf(facts: NodeFacts, units: Units, config: ConfigView): Trouble[] {
  const own = config.nodes.get(facts.node)?.errors ?? [];
  const shared = config.stops === 'all' ? config.general : [];
  return [...shared, ...own, ...diskTroubles(facts), ...fallbackTroubles(facts.node, units)];
}

function isUpToDate({ check, links }: NodeFacts, gates: readonly Gate[]): boolean {
  if (check?.offered === undefined || links.current === undefined) return false;
  return gates.some(({ gate, passed }) => gate === 'newer' && !passed);
}

function around({ node }: NodeFacts, units: Units): Pick<WhyReport, 'unit' | 'timer'> {
  if (!units.known) return {};
  return {
    unit: isDown(units.units.get(`${node}.service`)) ? 'stopped' : 'up',
    timer: units.units.get(TIMER)?.active === 'active' ? 'on' : 'off',
  };
}

function timesOf(facts: NodeFacts, units: Units, config: ConfigView) {
  const { check } = facts;
  const next = nextRunOf(facts, units, config);
  return {
    ...(check === undefined ? {} : { checked: isoTime(check.at) }),
    ...(check?.answered === undefined ? {} : { answered: isoTime(check.answered) }),
    ...(check?.expires === undefined ? {} : { expires: isoTime(check.expires) }),
    ...(next === undefined ? {} : { nextRun: isoTime(next) }),
  };
}

function failuresOf(facts: NodeFacts, units: Units): Pick<WhyReport, 'checkFailure' | 'lastFailure'> {
  const { check, ledger } = facts;
  const last = viewTransactions(ledger.records).at(-1);
  // That the node is stopped is seen, and told of, as it is now.
  const told = last?.failure?.code === 'HOST_NODE_STOPPED' && units.known;
  return {
    ...(check?.failure === undefined ? {} : { checkFailure: check.failure }),
    ...(last === undefined || told ? {} : lastFailureOf(last)),
  };
}

/** Of the last transaction alone: what failed before it has been overtaken, or is in quarantine and told of there. */
function lastFailureOf({ ended, failure, opened, outcome, to }: TransactionView): Pick<WhyReport, 'lastFailure'> {
  if (failure === undefined || outcome === 'committed' || outcome === 'open') return {};
  return { lastFailure: { ...failure, version: to, at: isoTime(ended ?? opened), outcome } };
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
    // What a damaged ledger no longer tells, the last look may have known.
    return gate.gate === 'quarantine' && ledger.damage === undefined ? quarantineGate(offered, bad) : gate;
  });
}
