/** Transactions about the node's data: what `backup create`, `backup restore` and `rollback --restore-data` ask for. */
import { randomUUID } from 'node:crypto';
import { readLinks } from '../activation/links.ts';
import { listStaged } from '../activation/stage.ts';
import { UpdaterError } from '../errors.ts';
import type { Request } from '../orders.ts';
import type { Version } from '../release.ts';
import type { MachineContext } from './context.ts';
import type { Transaction } from './state.ts';

/** Throws BACKUP_REFUSED without a [backup] table, POLICY_NO_TARGET when nothing is installed. */
export async function planBackup(request: string, context: MachineContext): Promise<Transaction> {
  const current = await installed(context);
  return { id: randomUUID(), action: 'backup', from: current, to: current, way: 'forward', backup: 'first', request };
}

/** `to`: the version to run on the data of then; absent, the one that runs now. */
export async function planRestore(
  { id: request, backup, to }: Extract<Request, { kind: 'restore' }>,
  context: MachineContext,
): Promise<Transaction> {
  const current = await installed(context);
  if (to !== undefined && !(await listStaged(context.layout)).includes(to)) {
    throw refused(
      'POLICY_NO_TARGET',
      `${to} is not staged on this host`,
      `See what is: node-updater versions ${context.settings.node}`,
    );
  }
  return {
    id: randomUUID(),
    action: 'restore',
    from: current,
    to: to ?? current,
    way: 'forward',
    restore: backup,
    request,
  };
}

async function installed({ layout, settings }: MachineContext): Promise<Version> {
  if (settings.backup === undefined) {
    throw refused(
      'BACKUP_REFUSED',
      'which data to back up is not configured',
      `Add a [backup] table with paths to ${settings.file}.`,
    );
  }
  const { current } = await readLinks(layout);
  if (current !== undefined) return current;
  throw refused(
    'POLICY_NO_TARGET',
    'Nothing is installed',
    `First install a version: sudo node-updater upgrade ${settings.node}`,
  );
}

function refused(code: 'BACKUP_REFUSED' | 'POLICY_NO_TARGET', message: string, remedy: string): UpdaterError {
  return new UpdaterError(code, message, { remedy });
}
