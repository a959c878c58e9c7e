/** What goes on with a restore that somebody else has begun: real directories, and a disk that fails once. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BackupContext } from '../../../src/backup/context.ts';
import { finishRestores } from '../../../src/backup/restore.ts';
import { durableFiles } from '../../../src/host/files.ts';
import type { Files } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { NodeName } from '../../../src/release.ts';

let root: string;
let layout: NodeLayout;

/** A journal is open, and none of its renames is done. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'journal-'));
  layout = layoutAt(root).node('demo' as NodeName);
  const [path, work, before] = [`${root}/data`, `${root}/work`, `${root}/before`];
  for (const directory of [layout.restores, path, `${work}/tree`]) await mkdir(directory, { recursive: true });
  await writeFile(`${path}/file`, 'present');
  await writeFile(`${work}/tree/file`, 'restored');
  const moves = { away: [{ from: path, to: before }], in: [{ from: `${work}/tree`, to: path }], back: [], stay: [] };
  const journal = {
    schema: 1,
    restore: 'r1',
    backup: 'b1',
    state: 'open',
    targets: [{ path, work, before, ...moves }],
  };
  await writeFile(`${layout.restores}/r1.json`, JSON.stringify(journal));
});
afterEach(() => rm(root, { recursive: true }));

function contextOf(flushDirectory: Files['flushDirectory']): BackupContext {
  const files = { ...durableFiles(run), flushDirectory };
  const heartbeat = { beat: () => undefined, during: <T>(waited: Promise<T>) => waited };
  return { layout, files, run, heartbeat } as unknown as BackupContext;
}

it('makes a journal durable before it goes by it: the data has not moved by then [F102]', async () => {
  const seen: string[] = [];
  const context = contextOf(async (path) => {
    seen.push(path, await readFile(`${root}/data/file`, 'utf8'));
  });
  expect(await finishRestores(context)).toMatchObject([{ restore: 'r1', state: 'done' }]);
  expect(seen).toEqual([layout.restores, 'present']);
  expect(await readFile(`${root}/data/file`, 'utf8')).toBe('restored');
});

it('moves nothing by a journal that cannot be made durable, and says that the node must stay down [F102]', async () => {
  const context = contextOf(() => Promise.reject(new Error('EIO')));
  await expect(finishRestores(context)).rejects.toMatchObject({ code: 'BACKUP_RESTORE' });
  expect(await readFile(`${root}/data/file`, 'utf8')).toBe('present');
  expect(existsSync(`${root}/before`)).toBe(false);
});
