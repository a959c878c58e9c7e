import { UpdaterError } from '../errors.ts';
import type { LedgerRecord } from '../machine/record.ts';
import { findOpen } from '../machine/recover.ts';

/** A restore that could not be finished: why, and what to do. A person is needed, exit 4. */
export function heldDown(records: readonly LedgerRecord[]): UpdaterError | undefined {
  if (findOpen(records)?.lastEvent !== 'later') return undefined;
  const last = records
    .map(({ entry }) => entry)
    .findLast((entry) => entry.kind === 'result' && entry.event === 'later');
  const failure = last?.kind === 'result' ? last.failure : undefined;
  return new UpdaterError(
    'BACKUP_RESTORE',
    `The node is held down until its data is whole: ${failure?.message ?? ''}`,
    {
      remedy: failure?.remedy ?? 'The next run goes on with it.',
    },
  );
}
