/** The backup room: carries out one order of the transaction, and answers it with one line. */
import { UpdaterError } from '../errors.ts';
import type { BackupLine, BackupOrder, BackupResult } from '../orders.ts';
import type { BackupContext } from './context.ts';
import { createBackup, estimateBackup } from './create.ts';
import { pruneBackups } from './remove.ts';
import { dropBefore, finishRestores, restoreBackup } from './restore.ts';
import { requireGoodRestore } from './restorable.ts';
import { sealAll } from './seal.ts';

/** What it throws is no UpdaterError: a fault of ours, which ends the room without an answer. */
export async function runBackupRoom(order: BackupOrder, context: BackupContext): Promise<BackupLine> {
  const { id } = order;
  try {
    return { id, kind: 'done', result: await carryOut(order, context) };
  } catch (error) {
    if (!(error instanceof UpdaterError)) throw error;
    const { code, message, remedy } = error;
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    context.log.error(`${message}${cause}. ${remedy}`, { code });
    return { id, kind: 'failed', code, message: `${message}${cause}`, remedy };
  }
}

async function carryOut(order: BackupOrder, context: BackupContext): Promise<BackupResult> {
  const { kind } = order;
  switch (kind) {
    case 'estimate':
      return { kind, estimate: await estimateBackup(context) };
    case 'create': {
      const { id, bytes, took } = await createBackup(order, context);
      return { kind, backup: id, bytes, took };
    }
    case 'restore':
      return { kind, ...(await restoreBackup(order.backup, order.restore, context)) };
    case 'finish':
      return { kind, restores: (await finishRestores(context)).map(({ restore }) => restore) };
    case 'seal':
      await sealAll(order.backup, context);
      return { kind };
    case 'verify':
      await requireGoodRestore(order.backup, context);
      return { kind };
    case 'prune':
      return { kind, ...(await pruneBackups(order.needed, context)) };
    case 'drop':
      await dropBefore(order.restore, context);
      return { kind };
  }
}
