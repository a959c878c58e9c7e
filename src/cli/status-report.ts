/** What `status` answers, as data: its JSON is this. Pure. Times are RFC 3339 in UTC. */
import { CODES, EXIT, type ExitCode } from '../errors.ts';
import type { Failure } from '../machine/state.ts';
import { withdrawnWarnings } from '../policy/withdrawn.ts';
import type { NodeName } from '../release.ts';
import type { compareVersions } from '../version.ts';
import type { ConfigView, Trouble } from './config-view.ts';
import type { NodeFacts } from './facts.ts';
import { heldDown } from './held-down.ts';
import { nextRunOf } from './next-run.ts';
import { stateOf, type StateName } from './node-state.ts';
import { isoTime } from './times.ts';
import { viewTransactions, type TransactionView } from './transactions.ts';
import { isStuck, revertUnit, RUN_SERVICE, TIMER, type Units } from './units.ts';

export interface StatusReport {
  readonly schema: 1;
  readonly systemd: { readonly known: true } | { readonly known: false; readonly why: string };
  readonly timer: { readonly active?: boolean; readonly next?: string; readonly lastExit?: number };
  /** What is wrong with the configuration beyond single nodes. */
  readonly problems: readonly Trouble[];
  readonly nodes: readonly NodeReport[];
  /** The command to type next. */
  readonly next?: string;
}

export interface NodeReport {
  readonly node: string;
  readonly current?: string;
  readonly fallback?: string;
  /** On offer to this node, and not what runs. */
  readonly available?: string;
  /** What the publisher asks of all nodes: the version to have at least, and the one to go to. */
  readonly minimum?: string;
  readonly suggested?: string;
  readonly belowMinimum?: true;
  /** `broken`: no run touches the node until its configuration is mended; `problems` says what is wrong. */
  readonly configuration: 'good' | 'broken';
  readonly state: StateName;
  readonly stateText: string;
  readonly unit?: { readonly active: string; readonly sub: string };
  readonly last?: Pick<TransactionView, 'action' | 'from' | 'to' | 'outcome' | 'failure'> & { readonly at: string };
  readonly checked?: string;
  readonly answered?: string;
  /** Why the last look failed. */
  readonly checkFailure?: Failure;
  /** What stops nothing yet: keys and manifests that go out of date, what was refused beside what was taken. */
  readonly warnings?: readonly Trouble[];
  /** Not before this time the timer's run takes it up. */
  readonly nextRun?: string;
  readonly problems: readonly Trouble[];
}

/** Only asked where a publisher names a minimum. */
export type Compare = typeof compareVersions;

export function reportStatus(
  facts: readonly NodeFacts[],
  units: Units,
  config: ConfigView,
  compare: Compare,
): StatusReport {
  const nodes = facts.map((one) => reportNode(one, units, config, compare));
  const problems = config.general;
  const next = nextCommand(nodes, units, problems);
  return {
    schema: 1,
    systemd: units.known ? { known: true } : { known: false, why: units.why },
    timer: timerOf(units),
    problems,
    nodes,
    ...(next === undefined ? {} : { next }),
  };
}

function timerOf(units: Units): StatusReport['timer'] {
  if (!units.known) return {};
  const timer = units.units.get(TIMER);
  const exit = units.units.get(RUN_SERVICE)?.exitStatus;
  return {
    active: timer?.active === 'active',
    ...(timer?.next === undefined ? {} : { next: isoTime(timer.next) }),
    ...(exit === undefined ? {} : { lastExit: exit }),
  };
}

function reportNode(facts: NodeFacts, units: Units, config: ConfigView, compare: Compare): NodeReport {
  const { check, links, node } = facts;
  const { state, text } = stateOf(facts, units);
  const unit = units.known ? units.units.get(`${node}.service`) : undefined;
  const last = viewTransactions(facts.ledger.records).findLast(({ outcome }) => outcome !== 'open');
  const errors = config.nodes.get(node)?.errors ?? [];
  const broken = errors.length > 0;
  const next = nextRunOf(facts, units, config);
  return {
    node,
    ...(links.current === undefined ? {} : { current: links.current }),
    ...(links.fallback === undefined ? {} : { fallback: links.fallback }),
    ...offerOf(facts, compare),
    state,
    stateText: broken ? `${text}, configuration broken` : text,
    configuration: broken ? 'broken' : 'good',
    ...(unit === undefined ? {} : { unit: { active: unit.active, sub: unit.sub } }),
    ...(last === undefined ? {} : { last: lastOf(last) }),
    ...(check === undefined ? {} : { checked: isoTime(check.at) }),
    ...(check?.answered === undefined ? {} : { answered: isoTime(check.answered) }),
    ...(check?.failure === undefined ? {} : { checkFailure: check.failure }),
    ...warningsOf(facts),
    ...(next === undefined ? {} : { nextRun: isoTime(next) }),
    problems: [...errors, ...diskTroubles(facts), ...fallbackTroubles(node, units), ...heldTroubles(facts, state)],
  };
}

/** What the last look found, and that what runs now is withdrawn. */
export function warningsOf({ check, links, node }: NodeFacts): { readonly warnings?: readonly Trouble[] } {
  const past = (check?.warnings ?? []).filter(({ message }) => message !== check?.failure?.message);
  const warnings = [...past, ...withdrawnWarnings(node, links.current, check ?? {})];
  return warnings.length === 0 ? {} : { warnings };
}

export function diskTroubles({ problems }: NodeFacts): Trouble[] {
  return problems.map(({ code, message, remedy }) => ({ code, message, remedy }));
}

export function fallbackTroubles(node: NodeName, units: Units): Trouble[] {
  if (!units.known || !isStuck(units.units.get(revertUnit(node)))) return [];
  const remedy = `See what it said: journalctl -u ${revertUnit(node)} -n 20. When that is mended it goes on by itself.`;
  return [{ code: 'ACTIVATE_REVERT', message: 'systemd cannot put the version before back', remedy }];
}

/** Not while a run is trying it again. */
function heldTroubles({ ledger }: NodeFacts, state: StateName): Trouble[] {
  const held = state === 'needs-a-person' ? heldDown(ledger.records) : undefined;
  return held === undefined ? [] : [{ code: held.code, message: held.message, remedy: held.remedy }];
}

function offerOf(
  { check, links }: NodeFacts,
  compare: Compare,
): Pick<NodeReport, 'available' | 'minimum' | 'suggested' | 'belowMinimum'> {
  const { minimum, offered, suggested } = check ?? {};
  const { current } = links;
  const below = minimum !== undefined && current !== undefined && compare(current, minimum) < 0;
  return {
    ...(offered === undefined || offered === current ? {} : { available: offered }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(suggested === undefined ? {} : { suggested }),
    ...(below ? { belowMinimum: true } : {}),
  };
}

function lastOf(view: TransactionView): NonNullable<NodeReport['last']> {
  const { action, from, to, outcome, failure } = view;
  return {
    action,
    ...(from === undefined ? {} : { from }),
    to,
    outcome,
    ...(failure === undefined ? {} : { failure }),
    at: isoTime(view.ended ?? view.opened),
  };
}

/**
 * How `status` ends: 0 unless something waits for a person. A version that was put back is no such thing: the node runs, and
 * a later version is taken.
 */
export function exitOfStatus({ nodes, problems }: StatusReport): ExitCode {
  if (nodes.some(({ state }) => state === 'needs-a-person')) return EXIT.rollbackFailed;
  if (nodes.some(({ state }) => state === 'damaged')) return EXIT.failed;
  const broken = problems.length > 0 || nodes.some(({ configuration }) => configuration === 'broken');
  return broken ? EXIT.configuration : EXIT.done;
}

/** What is most urgent: damage, then a person, then configuration and timer, then what blocks, then what is on offer. */
function nextCommand(nodes: readonly NodeReport[], units: Units, problems: readonly Trouble[]): string | undefined {
  const name = (node: NodeReport): string => (nodes.length === 1 ? '' : ` ${node.node}`);
  const find = (...states: StateName[]) => nodes.find(({ state }) => states.includes(state));
  if (nodes.length === 0) return 'node-updater config --check';
  const broken = find('damaged', 'needs-a-person');
  if (broken !== undefined) return `node-updater history${name(broken)}`;
  if (problems.length > 0 || nodes.some(({ configuration }) => configuration === 'broken'))
    return 'node-updater config --check';
  if (units.known && units.units.get(TIMER)?.active !== 'active')
    return 'sudo systemctl enable --now node-updater.timer';
  const open = find('on-probation', 'working', 'falling-back', 'unsettled');
  if (open !== undefined) return `node-updater status${name(open)}`;
  const failing = nodes.find(
    ({ checkFailure }) => checkFailure !== undefined && CODES[checkFailure.code].exit !== EXIT.done,
  );
  if (failing !== undefined) return `node-updater why${name(failing)}`;
  const offered = nodes.find(({ available }) => available !== undefined);
  if (offered !== undefined) return `node-updater why${name(offered)}`;
  const missing = find('not-installed');
  return missing === undefined ? undefined : `sudo node-updater upgrade${name(missing)}`;
}
