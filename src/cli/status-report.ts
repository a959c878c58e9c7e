/** What `status` answers, as data: its JSON is this. Pure. Times are RFC 3339 in UTC. */
import { CODES, EXIT } from '../errors.ts';
import type { Failure } from '../machine/state.ts';
import type { NodeFacts } from './facts.ts';
import { stateOf, type StateName } from './node-state.ts';
import { isoTime } from './times.ts';
import { viewTransactions, type TransactionView } from './transactions.ts';
import { RUN_SERVICE, TIMER, type Units } from './units.ts';

export interface StatusReport {
  readonly schema: 1;
  readonly systemd: { readonly known: true } | { readonly known: false; readonly why: string };
  readonly timer: { readonly active?: boolean; readonly next?: string; readonly lastExit?: number };
  readonly nodes: readonly NodeReport[];
  /** The command to type next. */
  readonly next?: string;
}

export interface NodeReport {
  readonly node: string;
  readonly current?: string;
  readonly fallback?: string;
  /** On offer, and not what runs. */
  readonly available?: string;
  readonly state: StateName;
  readonly stateText: string;
  readonly unit?: { readonly active: string; readonly sub: string };
  readonly last?: Pick<TransactionView, 'action' | 'from' | 'to' | 'outcome' | 'failure'> & { readonly at: string };
  readonly checked?: string;
  readonly answered?: string;
  /** Why the last look failed. */
  readonly checkFailure?: Failure;
  readonly problems: readonly { readonly code: string; readonly message: string; readonly remedy: string }[];
}

export function reportStatus(facts: readonly NodeFacts[], units: Units): StatusReport {
  const nodes = facts.map((one) => reportNode(one, units));
  const next = nextCommand(nodes, units);
  return {
    schema: 1,
    systemd: units.known ? { known: true } : { known: false, why: units.why },
    timer: timerOf(units),
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

function reportNode(facts: NodeFacts, units: Units): NodeReport {
  const { check, links, node, problems } = facts;
  const { state, text } = stateOf(facts, units);
  const unit = units.known ? units.units.get(`${node}.service`) : undefined;
  const last = viewTransactions(facts.ledger.records).findLast(({ outcome }) => outcome !== 'open');
  const available = check?.offered === links.current ? undefined : check?.offered;
  return {
    node,
    ...(links.current === undefined ? {} : { current: links.current }),
    ...(links.fallback === undefined ? {} : { fallback: links.fallback }),
    ...(available === undefined ? {} : { available }),
    state,
    stateText: text,
    ...(unit === undefined ? {} : { unit: { active: unit.active, sub: unit.sub } }),
    ...(last === undefined ? {} : { last: lastOf(last) }),
    ...(check === undefined ? {} : { checked: isoTime(check.at) }),
    ...(check?.answered === undefined ? {} : { answered: isoTime(check.answered) }),
    ...(check?.failure === undefined ? {} : { checkFailure: check.failure }),
    problems: problems.map(({ code, message, remedy }) => ({ code, message, remedy })),
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

/** What is most urgent: damage, then a person, then the timer, then what blocks, then what is on offer. */
function nextCommand(nodes: readonly NodeReport[], units: Units): string | undefined {
  const name = (node: NodeReport): string => (nodes.length === 1 ? '' : ` ${node.node}`);
  const find = (...states: StateName[]) => nodes.find(({ state }) => states.includes(state));
  if (nodes.length === 0) return 'node-updater config --check';
  const broken = find('damaged', 'needs-a-person');
  if (broken !== undefined) return `node-updater history${name(broken)}`;
  if (units.known && units.units.get(TIMER)?.active !== 'active') return 'systemctl enable --now node-updater.timer';
  if (units.known && units.units.get(RUN_SERVICE)?.exitStatus === EXIT.configuration)
    return 'node-updater config --check';
  const open = find('on-probation', 'working', 'falling-back', 'unsettled');
  if (open !== undefined) return `node-updater status${name(open)}`;
  const failing = nodes.find(
    ({ checkFailure }) => checkFailure !== undefined && CODES[checkFailure.code].exit !== EXIT.done,
  );
  if (failing !== undefined) return `node-updater why${name(failing)}`;
  const offered = nodes.find(({ available }) => available !== undefined);
  if (offered !== undefined) return `node-updater why${name(offered)}`;
  const missing = find('not-installed');
  return missing === undefined ? undefined : `node-updater upgrade${name(missing)}`;
}
