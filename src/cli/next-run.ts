/** When a node is looked at next by itself. Pure. */
import { findOpen } from '../machine/recover.ts';
import type { ConfigView } from './config-view.ts';
import { isDue } from './due.ts';
import type { NodeFacts } from './facts.ts';
import { TIMER, type Units } from './units.ts';

/**
 * Milliseconds since the epoch, not before which the timer's run takes the node up; undefined when none will, or when it
 * is not known.
 */
export function nextRunOf(facts: NodeFacts, units: Units, config: ConfigView): number | undefined {
  const { check, held, ledger, node, problems } = facts;
  const timer = units.known ? units.units.get(TIMER)?.next : undefined;
  const { interval, errors } = config.nodes.get(node) ?? { errors: [] };
  const stopped = errors.length > 0 || config.stops === 'all' || problems.length > 0;
  if (timer === undefined || stopped) return undefined;
  // A configuration that this user may not read: the timer is all that is known.
  if (interval === undefined) return timer;
  // As the timer's run judges it (run.ts): what holds the node down is ended by the next one.
  const open = findOpen(ledger.records) === undefined && held === undefined ? 'settled' : 'open';
  const due = isDue({ now: timer, interval, looked: check?.at, open });
  return due.due ? timer : due.next;
}
