/** The one word for how a node stands. Pure: `fallback` and `current` win over the ledger (DESIGN.md section 6). */
import { findOpen, type OpenTransaction } from '../machine/recover.ts';
import type { Action } from '../machine/state.ts';
import type { NodeFacts } from './facts.ts';
import { isBusy, isStuck, revertUnit, transactionUnit, type Units } from './units.ts';
import { viewTransactions } from './transactions.ts';

export const STATES = [
  'not-installed',
  'committed',
  'working',
  'on-probation',
  'falling-back',
  'unsettled',
  'rolled-back',
  'needs-a-person',
  'damaged',
] as const;

export type StateName = (typeof STATES)[number];

export interface NodeState {
  readonly state: StateName;
  /** What a person reads: `on probation: soaking, 40 of 60 s`. */
  readonly text: string;
}

export function stateOf(facts: NodeFacts, units: Units): NodeState {
  if (units.known && isStuck(units.units.get(revertUnit(facts.node)))) {
    const back = facts.links.fallback ?? 'the version before';
    return { state: 'needs-a-person', text: `cannot be put back to ${back}` };
  }
  if (facts.problems.length > 0) return { state: 'damaged', text: 'damaged' };
  const { current, fallback } = facts.links;
  const open = findOpen(facts.ledger.records);
  const running = alive(facts, units);
  if (fallback !== undefined && running === 'no') return { state: 'falling-back', text: `falling back to ${fallback}` };
  if (open !== undefined && running !== 'no') return busyState(open, fallback !== undefined, facts, units);
  if (open?.lastEvent === 'later') return { state: 'needs-a-person', text: 'held down until its data is whole' };
  if (open !== undefined)
    return { state: 'unsettled', text: `${open.transaction.action} to ${open.transaction.to} cut short` };
  if (facts.held !== undefined)
    return { state: 'unsettled', text: 'held down after its restore; the next run lets it go' };
  if (current === undefined) return { state: 'not-installed', text: 'not installed' };
  return restingState(facts, units);
}

/** `unknown` where systemd does not answer: then the ledger is believed. */
function alive({ node }: NodeFacts, units: Units): 'yes' | 'no' | 'unknown' {
  if (!units.known) return 'unknown';
  return [transactionUnit(node), revertUnit(node)].some((unit) => isBusy(units.units.get(unit))) ? 'yes' : 'no';
}

function busyState(open: OpenTransaction, armed: boolean, { node }: NodeFacts, units: Units): NodeState {
  const { action, to } = open.transaction;
  const status = units.known ? (units.units.get(transactionUnit(node))?.status ?? '') : '';
  const soaked = /(\d+ of [\d.]+ s)$/.exec(status)?.[1];
  const doing = open.reached === undefined ? 'beginning' : (DOING[open.reached] ?? open.reached);
  const detail = open.reached === 'soak' && soaked !== undefined ? `${doing} ${soaked}` : doing;
  if (armed || open.visited.has('activate')) return { state: 'on-probation', text: `${to} on probation: ${detail}` };
  return { state: 'working', text: `${action} to ${to}: ${detail}` };
}

const DOING: Readonly<Record<string, string>> = {
  fetch: 'fetching',
  verify: 'verifying',
  stage: 'staging',
  preflight: 'trying it beforehand',
  arm: 'arming',
  stop: 'stopping the node for a backup',
  backup: 'backing up its data',
  activate: 'activating',
  start: 'starting',
  soak: 'soaking',
  commit: 'committing',
  clean: 'cleaning up',
  prune: 'removing old versions',
  settle: 'settling',
  resume: 'going on with the soak',
  restore: 'putting its data back',
  'go-back': 'putting its data back',
  withdraw: 'withdrawing',
  'gate-old': 'proving the version before',
};

const ASIDE: readonly Action[] = ['drill', 'backup', 'restore'];

function restingState(facts: NodeFacts, units: Units): NodeState {
  // A drill that put the version back did what it was for, and a backup that was not made has left the node as it was.
  const last = viewTransactions(facts.ledger.records).findLast(
    ({ action, outcome }) => outcome !== 'open' && (!ASIDE.includes(action) || outcome === 'rollback-failed'),
  );
  const node = units.known ? units.units.get(`${facts.node}.service`) : undefined;
  const suffix = node === undefined || node.active === 'active' ? '' : `, unit ${node.active || 'unknown'}`;
  if (last?.outcome === 'rollback-failed') return { state: 'needs-a-person', text: `a person is needed${suffix}` };
  if (last?.outcome === 'rolled-back') return { state: 'rolled-back', text: `rolled back${suffix}` };
  return { state: 'committed', text: `committed${suffix}` };
}
