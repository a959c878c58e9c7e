/** Carries out orders on backups inside the mount namespace of a test: one JSON line each, and one for each answer. */
import { createInterface } from 'node:readline';
import { createBackup, estimateBackup } from '../../../src/backup/create.ts';
import { pruneBackups } from '../../../src/backup/remove.ts';
import { dropBefore, finishRestores, restoreBackup } from '../../../src/backup/restore.ts';
import { requireGoodRestore } from '../../../src/backup/restorable.ts';
import { sealBackup } from '../../../src/backup/seal.ts';
import type { BackupContext } from '../../../src/backup/context.ts';
import { UpdaterError } from '../../../src/errors.ts';
import { hostClock } from '../../../src/host/clock.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import type { NodeName } from '../../../src/release.ts';
import type { BackupSettings } from '../../../src/settings.ts';

export interface Job {
  readonly state: string;
  readonly settings: BackupSettings;
  readonly work: Work;
}

export type Work =
  | { readonly kind: 'estimate' | 'create' | 'finish' }
  | { readonly kind: 'seal' | 'verify'; readonly backup: string }
  | { readonly kind: 'restore'; readonly backup: string; readonly restore: string }
  | { readonly kind: 'drop'; readonly restore: string }
  | { readonly kind: 'prune'; readonly needed: readonly string[] };

function perform(work: Work, context: BackupContext): Promise<unknown> {
  switch (work.kind) {
    case 'estimate':
      return estimateBackup(context);
    case 'create':
      return createBackup({ reason: 'test' }, context);
    case 'finish':
      return finishRestores(context);
    case 'seal':
      return sealBackup(work.backup, context);
    case 'verify':
      return requireGoodRestore(work.backup, context);
    case 'restore':
      return restoreBackup(work.backup, work.restore, context);
    case 'drop':
      return dropBefore(work.restore, context);
    case 'prune':
      return pruneBackups(work.needed, context);
  }
}

async function answer(text: string): Promise<void> {
  const { state, settings, work } = JSON.parse(text) as Job;
  const log: string[] = [];
  const say = (message: string): void => {
    log.push(message);
  };
  const context: BackupContext = {
    node: 'demo' as NodeName,
    layout: { restores: `${state}/restores` },
    settings,
    files: durableFiles(run),
    run,
    clock: hostClock(),
    log: { debug: say, info: say, warn: say, error: say, milestone: () => Promise.resolve() },
    heartbeat: { beat: () => undefined, status: () => undefined, during: (waited) => waited },
  };
  try {
    const value = await perform(work, context);
    console.log(JSON.stringify({ value, log }));
  } catch (error) {
    if (!(error instanceof UpdaterError)) throw error;
    console.log(JSON.stringify({ code: error.code, message: error.message, log }));
  }
}

for await (const line of createInterface(process.stdin)) await answer(line);
