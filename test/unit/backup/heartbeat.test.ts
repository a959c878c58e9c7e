/** The room's own time limit is two minutes; what one program may need longer for on large data is waited for with a heartbeat. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BackupContext } from '../../../src/backup/context.ts';
import { createBackup } from '../../../src/backup/create.ts';
import { dropBefore, restoreBackup } from '../../../src/backup/restore.ts';
import { durableFiles } from '../../../src/host/files.ts';
import type { Run } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import type { NodeName } from '../../../src/release.ts';

let root: string;
let beating: number;
/** Programs that were waited for in silence, but the clone of one file, which has a limit of its own. */
let silent: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'heartbeat-'));
  beating = 0;
  silent = [];
  await mkdir(join(root, 'data'));
  await writeFile(join(root, 'data/file'), 'one');
});
afterEach(() => rm(root, { recursive: true }));

const watched: Run = (command, options) => {
  // A heartbeat that is given the promise begins right after this.
  queueMicrotask(() => {
    if (beating === 0 && !command.some((word) => word.endsWith('.clone-probe'))) silent.push(command.join(' '));
  });
  return run(command, options);
};

function context(): BackupContext {
  return {
    node: 'demo' as NodeName,
    layout: { restores: join(root, 'restores') },
    settings: {
      ...{ paths: [join(root, 'data')], exclude: [], neverRestore: [], directory: join(root, 'backups'), keep: 3 },
      method: 'auto',
    },
    files: durableFiles(watched),
    run: watched,
    clock: { now: () => Date.now(), monotonic: () => 0n },
    log: { ...{ debug: say, info: say, warn: say, error: say }, milestone: () => Promise.resolve() },
    heartbeat: {
      beat: say,
      status: say,
      during: async (waited) => {
        beating++;
        return waited.finally(() => beating--);
      },
    },
  };
}

function say(): void {
  // Nobody listens.
}

it('a backup, a restore and the end of what a restore kept are never waited for in silence', async () => {
  const { id } = await createBackup({ reason: 'test' }, context());
  // What an attempt has left that came to no journal.
  await mkdir(join(root, '.node-updater-restore-r0.data'));
  await restoreBackup(id, 'r1', context());
  await dropBefore('r1', context());
  expect(silent).toEqual([]);
});

it('a restore that comes to nothing removes what it has laid with a heartbeat', async () => {
  const { id } = await createBackup({ reason: 'test' }, context());
  await rm(join(root, 'backups', id, '0/file'));
  await expect(restoreBackup(id, 'r1', context())).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  expect(silent).toEqual([]);
});
