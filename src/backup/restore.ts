/**
 * Puts a backup in the place of the data; its caller holds the node down throughout. All is laid beside the data first and
 * checked there, so whatever is wrong with the backup is found while the data is untouched. Then the renames of moves.ts,
 * under a journal. What was there before stays beside it until it is dropped.
 *
 * Signing state is never put back, whatever the backup holds: a validator that forgets what it signed signs it again, and is
 * slashed. The present one is carried over into the restored tree before that gets its name; where the backup knows of one
 * and the present does not, the restore is refused.
 */
import { mkdir } from 'node:fs/promises';
import { errnoOf, UpdaterError, type ErrorCode } from '../errors.ts';
import type { BackupContext } from './context.ts';
import { addListed, removeOurs } from './copy.ts';
import { readJournals, removeJournal, writeJournal, type Journal, type RestoreTarget } from './journal.ts';
import { layBeside } from './lay.ts';
import { isThere, moveAway, moveIn } from './moves.ts';
import { below, bytesOf, nameOf, numbered, openDirectory, parentOf, textOf, type Raw } from './paths.ts';
import { readRecord } from './record.ts';
import { requireMounted, restorable } from './restorable.ts';

export interface Restored {
  readonly backup: string;
  /** Where what was there before is kept. */
  readonly before: readonly string[];
}

/**
 * @param backup its id
 * @param restore names this restore, one safe path component: called again with the same, it goes on or is done already
 *
 * Throws BACKUP_UNKNOWN, BACKUP_DAMAGED, BACKUP_SIGNING, DISK_*: the data is as it was. Throws BACKUP_RESTORE: between
 * the renames; the node must stay down until a further call has finished them. HOST_MOUNT: the data is away with its mount, and
 * nothing was touched; whether it is between the renames only a further call will see.
 */
export async function restoreBackup(backup: string, restore: string, context: BackupContext): Promise<Restored> {
  const finished = await finishRestores(context);
  const known = finished.find((journal) => journal.restore === restore);
  if (known !== undefined) return restored(await settle(known, context));
  const record = await readRecord(context.settings.directory, backup);
  const targets: RestoreTarget[] = [];
  const works: Raw[] = [];
  try {
    for (const at of restorable(record, context)) targets.push(await layBeside(record, at, restore, works, context));
  } catch (error) {
    await removeTrees(works, context);
    throw error;
  }
  const journal: Journal = { schema: 1, restore, backup, state: 'open', targets };
  await openJournal(journal, works, context);
  return restored(await swap(journal, context));
}

/**
 * A journal whose write has failed may be on the disk all the same, and a later order would go on with it under a node that
 * runs: it is taken away again, or the node stays down.
 */
async function openJournal(journal: Journal, works: readonly Raw[], context: BackupContext): Promise<void> {
  try {
    await writeJournal(journal, context);
  } catch (error) {
    try {
      await removeJournal(journal.restore, context);
    } catch (cause) {
      throw unfinished(journal, cause);
    }
    await removeTrees(works, context);
    throw error;
  }
}

async function removeTrees(trees: readonly Raw[], { heartbeat, run }: BackupContext): Promise<void> {
  for (const tree of trees) await heartbeat.during(removeOurs(tree, run));
}

/** Goes on with restores that were interrupted between their renames. All journals, now done. Idempotent. */
export async function finishRestores(context: BackupContext): Promise<Journal[]> {
  const journals = await readJournals(context);
  const done: Journal[] = [];
  for (const journal of journals) done.push(journal.state === 'done' ? journal : await swap(journal, context));
  return done;
}

/** Removes what a restore kept of the data before. Idempotent. */
export async function dropBefore(restore: string, context: BackupContext): Promise<void> {
  const journal = (await readJournals(context)).find((one) => one.restore === restore);
  if (journal === undefined) return;
  if (journal.state === 'open') await swap(journal, context);
  for (const { before, work } of journal.targets) {
    await removeTrees([before, work], context);
  }
  await removeJournal(restore, context);
}

function restored({ backup, targets }: Journal): Restored {
  return { backup, before: targets.map(({ before }) => textOf(before)) };
}

/** Whoever wrote that it is done may have died before that was on the disk. */
async function settle(journal: Journal, context: BackupContext): Promise<Journal> {
  try {
    await writeJournal(journal, context);
    return journal;
  } catch (cause) {
    throw unfinished(journal, cause);
  }
}

/** What says itself that the node must stay down. */
const SAYS_SO: readonly ErrorCode[] = ['BACKUP_RESTORE', 'HOST_MOUNT'];

/** Whatever fails in here, a disk too, fails between the renames. */
async function swap(journal: Journal, context: BackupContext): Promise<Journal> {
  try {
    return await swapAll(journal, context);
  } catch (cause) {
    if (cause instanceof UpdaterError && SAYS_SO.includes(cause.code)) throw cause;
    throw unfinished(journal, cause);
  }
}

function unfinished({ backup }: Journal, cause: unknown): UpdaterError {
  return new UpdaterError('BACKUP_RESTORE', `the restore of ${backup} was not finished`, {
    remedy: 'The node must stay down until it is. Mend what is named above, and restore the same backup again.',
    cause,
  });
}

/** From the first rename to the last; each phase is durable before the next begins. */
async function swapAll(journal: Journal, context: BackupContext): Promise<Journal> {
  const { targets } = journal;
  await requireMounted(targets);
  // Whoever wrote it may have died before its name was on the disk; a power cut would leave the renames, and nothing that knows of them.
  await context.files.flushDirectory(context.layout.restores);
  for (const target of targets) await prepareBefore(target);
  for (const { away } of targets) for (const move of away) await moveAway(move);
  await flush(targets, context);
  for (const target of targets) for (const move of target.in) await moveIn(move);
  for (const { back } of targets) for (const move of back) await moveIn(move);
  for (const target of targets) await dressStaying(target, context);
  await flush(targets, context);
  await removeTrees(
    targets.map(({ work }) => work),
    context,
  );
  const done: Journal = { ...journal, state: 'done' };
  await writeJournal(done, context);
  return done;
}

/** Where children are kept, directories for them: closed to everybody else, as we made them. */
async function prepareBefore({ stay, before }: RestoreTarget): Promise<void> {
  for (const directory of stay) await makeIfMissing(below(before, directory));
}

async function makeIfMissing(path: Raw): Promise<void> {
  try {
    await using parent = await openDirectory(parentOf(path));
    await mkdir(bytesOf(numbered(parent, nameOf(path))), { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

async function flush(targets: readonly RestoreTarget[], { files, heartbeat }: BackupContext): Promise<void> {
  for (const { path } of targets) await heartbeat.during(files.syncFileSystem(textOf(parentOf(path) || '/')));
  for (const { path } of targets) {
    if (await isThere(path)) await heartbeat.during(files.syncFileSystem(textOf(path)));
  }
}

/** Owner, mode, times and attributes of directories that could not be renamed. Idempotent while `work` is there. */
async function dressStaying({ path, work, stay }: RestoreTarget, { run }: BackupContext): Promise<void> {
  const source = `${work}/looks`;
  if (!(await isThere(source))) return;
  const there: Raw[] = [];
  for (const directory of stay) if (await isThere(below(source, directory))) there.push(directory);
  await using into = await openDirectory(path);
  await addListed({ source, kind: 'directory', into, name: '.', timeout: 600_000 }, there, run);
}
