/**
 * Puts a backup back, and with it the version that the node then runs. From the first to the last step the file `restoring`
 * lets nobody start the node, across any crash: no version meets data that is only half there (DESIGN.md section 6).
 */
import { UpdaterError } from '../errors.ts';
import { linkText } from '../layout.ts';
import type { Version } from '../release.ts';
import { restoreBackup } from './backup-room.ts';
import type { ActivationContext } from './context.ts';
import { stopNode } from './stop.ts';

export interface Restore {
  readonly backup: string;
  /** Names it: called again with the same, it goes on or is done already. */
  readonly id: string;
  readonly to: Version;
}

export type RestoreEnd =
  | { readonly kind: 'done' }
  /** The data is as it was, and `current` too; the node is still down. */
  | { readonly kind: 'refused'; readonly error: UpdaterError }
  /** Between two renames: the node stays down, and this is to be called again. */
  | { readonly kind: 'half-done'; readonly error: unknown };

/** Never throws: what it cannot finish leaves the node held down. */
export async function restoreData({ backup, id, to }: Restore, context: ActivationContext): Promise<RestoreEnd> {
  const { files, layout } = context;
  try {
    await files.replace(layout.restoring, `${backup}\n`, 0o644);
    const refusal = await putBack(backup, id, context);
    if (refusal === undefined) await files.switchLink(linkText(to), layout.current);
    await files.remove(layout.restoring);
    return refusal === undefined ? { kind: 'done' } : { kind: 'refused', error: refusal };
  } catch (error) {
    return { kind: 'half-done', error };
  }
}

/** Undefined when the data is in its place; why it was left as it is, when it was. */
async function putBack(backup: string, id: string, context: ActivationContext): Promise<UpdaterError | undefined> {
  try {
    await stopNode(context);
    await restoreBackup(backup, id, context);
    return undefined;
  } catch (error) {
    if (error instanceof UpdaterError && leavesData(error)) return error;
    throw error;
  }
}

/** A room that died has said nothing about the data. */
function leavesData({ code }: UpdaterError): boolean {
  return code !== 'BACKUP_RESTORE' && code !== 'BACKUP_ROOM' && code !== 'HOST_BUS';
}
