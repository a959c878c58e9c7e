import type { Event, State, Transaction, Working } from './state.ts';

/**
 * The one transition table (DESIGN.md section 5): what follows when a step answers. Data, not code; an event that a
 * row does not name cannot happen in that state, and stops the transaction for the operator.
 *
 * Up to `preflight` the node is untouched, so a failure ends there. From `arm` on every failure is a `yield`: the process
 * exits, and systemd alone puts the committed version back (DESIGN.md section 6).
 */
export const TRANSITIONS: Readonly<Record<Working, Partial<Readonly<Record<Event, State>>>>> = {
  fetch: { ok: 'verify', failed: 'unchanged' },
  verify: { ok: 'stage', failed: 'unchanged' },
  stage: { ok: 'preflight', failed: 'unchanged' },
  preflight: { ok: 'arm', failed: 'unchanged', operator: 'unchanged' },
  arm: { ok: 'activate', failed: 'yield' },
  activate: { ok: 'start', failed: 'yield' },
  start: { ok: 'soak', failed: 'yield', operator: 'yield' },
  soak: { ok: 'commit', failed: 'yield', operator: 'yield' },
  commit: { ok: 'clean', failed: 'yield', operator: 'yield' },
  clean: { ok: 'prune', failed: 'committed' },
  prune: { ok: 'committed', failed: 'committed' },
  settle: {
    untouched: 'unchanged',
    committed: 'clean',
    'put-back': 'gate-old',
    uncommitted: 'withdraw',
    armed: 'yield',
    failed: 'yield',
  },
  withdraw: { ok: 'rolled-back', failed: 'rollback-failed' },
  'gate-old': { ok: 'rolled-back', operator: 'stopped-by-operator', failed: 'rollback-failed' },
};

/** The state in which a transaction begins: a rollback uses what is staged already, a drill what is here. */
export function begin({ action }: Transaction): Working {
  if (action === 'rollback') return 'preflight';
  return action === 'drill' ? 'stage' : 'fetch';
}

/** Undefined when the table has no such row. */
export function next(state: Working, event: Event): State | undefined {
  return TRANSITIONS[state][event];
}
