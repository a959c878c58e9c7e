/** What is asked for, as a transaction. */
import { committedBefore } from '../../../../src/machine/plan.ts';
import type { Transaction } from '../../../../src/machine/state.ts';
import type { Model } from './transaction.ts';
import type { V, World } from './world.ts';

/** As planUpgrade, planRollback, planBackup and planRestore make it. */
export function planOf(asked: World['asked'], w: World, { data }: Model): Partial<Transaction> {
  if (asked === 'rollback') return { action: 'rollback' };
  if (asked === 'backup') return { action: 'backup', way: 'forward', backup: 'first' };
  if (asked === 'restore') return { action: 'restore', way: 'forward', restore: 'b' };
  return {
    action: w.current === '' ? 'install' : 'upgrade',
    ...(w.epochs === 'same' ? {} : { way: 'forward', data: { epoch: 1, rollback: data.back } }),
    ...(data.backups === 'first' ? { backup: 'first' } : {}),
  };
}

export function targetOf(asked: World['asked'], w: World, model: Model): V {
  const page = model.book.page(w.ledger);
  if (asked === '') return '';
  if (asked === 'upgrade') return w.current === 'new' || page.quarantined.has('new') ? '' : 'new';
  if (asked === 'backup') return w.current;
  if (asked === 'restore') return w.backup === 'then' ? w.current : 'old';
  // What its operator may not go back to without the data of then.
  if (w.epochs === 'differ') return '';
  const before = w.current === '' ? undefined : committedBefore(w.current as never, page);
  return (before ?? '') as V;
}
