import { readLinks } from '../activation/links.ts';
import { exists } from '../if-there.ts';
import { UpdaterError } from '../errors.ts';
import type { ActivationContext } from '../activation/context.ts';
import { readCause } from './cause.ts';
import { judge, type OpenTransaction } from './recover.ts';
import type { Answer } from './run.ts';

/**
 * The step `settle`: what has become of a transaction that its process left. Acts on nothing; the links decide
 * (DESIGN.md section 6), and the table says what follows.
 */
export async function settle(
  open: OpenTransaction,
  asked: 'rollback' | undefined,
  context: ActivationContext,
): Promise<Answer> {
  const links = await readLinks(context.layout);
  // revert@ takes its mark away last: as long as it is there, it has not done all of its work, or has died in it.
  const judged = (await exists(context.layout.openMark)) ? 'armed' : judge(open, links);
  const event = judged === 'forward' && asked !== undefined && canRestore(open) ? 'going-back' : judged;
  const facts = {
    current: links.current ?? 'none',
    fallback: links.fallback ?? 'none',
    reached: open.reached ?? 'none',
  };
  const cause = event === 'committed' ? undefined : await readCause(open.transaction.id, context.layout);
  return { event, facts, ...(cause === undefined ? {} : { failure: cause }) };
}

/** Whether who wants to go back from a version without a way back can have the data of before. */
function canRestore({ backup, transaction }: OpenTransaction): boolean {
  return backup !== undefined && transaction.action === 'upgrade' && transaction.data?.rollback !== 'never';
}

/** What is recorded as the cause when nothing else is known: the updater or the host went down. */
export function interrupted(open: OpenTransaction): UpdaterError {
  const reached = open.reached ?? 'its beginning';
  return new UpdaterError('ACTIVATE_INTERRUPTED', `The updater or the host went down at "${reached}"`, {
    remedy: `Nothing to do: ${open.transaction.from === undefined ? 'it was removed again' : 'the committed version is back'}, and the release is tried again once.`,
  });
}
