/** A node that the file `restoring` holds down for nothing that is open. */
import type { OpenTransaction } from '../../../../src/machine/recover.ts';
import type { Version } from '../../../../src/release.ts';
import type { Model } from './transaction.ts';
import type { World } from './world.ts';

/** What a hold is about for which nothing is open. */
export const NOTHING: OpenTransaction = {
  ...{ transaction: { id: '', action: 'restore', to: '' as Version }, reached: undefined, visited: new Set() },
  ...{ failure: undefined, lastEvent: undefined, boot: '' },
};

/** `isAnothers`, the other way round. */
export function isHeldForNothing(w: World, { book }: Model): boolean {
  const { open } = book.page(w.ledger);
  const own = open !== undefined && (open.visited.has('restore') || open.visited.has('go-back') || w.open);
  return w.restoring !== '' && w.fallback === '' && !own;
}

/** The function of that name in transact.ts, which is asked where nothing is open. */
export function isLeftToFallback(w: World, { book, design }: Model): boolean {
  return design.serves === 'after the fallback' && book.page(w.ledger).open === undefined && w.open && w.down !== '';
}
