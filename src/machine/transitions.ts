import type { Event, State, Transaction, Working } from './state.ts';

/**
 * The one transition table (DESIGN.md section 5): what follows when a step answers. Data, not code; an event that a
 * row does not name cannot happen in that state, and stops the transaction for the operator.
 *
 * Up to `preflight` the node is untouched, so a failure ends there. From `arm` on every failure is a `yield`: the process
 * exits, and systemd alone puts the committed version back (DESIGN.md section 6). Only a version without a way back is
 * `stranded` by a failed gate: then its data is restored.
 */
export const TRANSITIONS: Readonly<Record<Working, Partial<Readonly<Record<Event, State>>>>> = {
  fetch: { ok: 'verify', failed: 'unchanged' },
  verify: { ok: 'stage', failed: 'unchanged' },
  stage: { ok: 'preflight', failed: 'unchanged' },
  preflight: { ok: 'arm', failed: 'unchanged', operator: 'unchanged' },
  arm: { ok: 'activate', backup: 'stop', restore: 'restore', failed: 'yield' },
  stop: { ok: 'backup', resting: 'backup', failed: 'yield', operator: 'yield' },
  backup: { ok: 'activate', failed: 'yield' },
  activate: { ok: 'start', failed: 'yield' },
  start: { ok: 'soak', resting: 'clean', stranded: 'go-back', failed: 'yield', operator: 'yield' },
  soak: { ok: 'commit', stranded: 'go-back', failed: 'yield', operator: 'yield' },
  commit: { ok: 'clean', stranded: 'go-back', failed: 'yield', operator: 'yield' },
  clean: { ok: 'prune', failed: 'committed' },
  prune: { ok: 'committed', failed: 'committed' },
  settle: {
    untouched: 'unchanged',
    committed: 'clean',
    'put-back': 'gate-old',
    uncommitted: 'withdraw',
    armed: 'yield',
    forward: 'resume',
    restoring: 'restore',
    'going-back': 'go-back',
    failed: 'yield',
  },
  withdraw: { ok: 'rolled-back', failed: 'rollback-failed' },
  resume: {
    ok: 'soak',
    operator: 'stopped-by-operator',
    stranded: 'go-back',
    unproven: 'rollback-failed',
    failed: 'yield',
  },
  restore: { ok: 'soak', resting: 'clean', refused: 'gate-old', failed: 'rollback-failed', later: 'yield' },
  'go-back': { ok: 'gate-old', failed: 'rollback-failed', later: 'yield' },
  'gate-old': { ok: 'rolled-back', operator: 'stopped-by-operator', failed: 'rollback-failed' },
};

/** The state in which a transaction begins: only what is installed anew is fetched; a drill copies what is here. */
export function begin({ action }: Transaction): Working {
  if (action === 'drill') return 'stage';
  return action === 'install' || action === 'upgrade' ? 'fetch' : 'preflight';
}

/** Undefined when the table has no such row. */
export function next(state: Working, event: Event): State | undefined {
  return TRANSITIONS[state][event];
}
