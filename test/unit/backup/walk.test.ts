import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { rawOf } from '../../../src/backup/paths.ts';
import { walk } from '../../../src/backup/walk.ts';
import { run } from '../../../src/host/run.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'walk-'));
});
afterEach(() => rm(root, { recursive: true }));

it('takes a directory with more names than a call can have arguments', { timeout: 120_000 }, async () => {
  const { status } = await run(['sh', '-c', 'cd "$1" && seq 150000 | xargs touch', 'sh', root], { timeout: 100_000 });
  expect(status).toBe(0);
  const steps = walk(rawOf(root), { excluded: () => false });
  await expect(steps.next()).resolves.toMatchObject({ value: { entry: { path: '' } } });
  await expect(steps.next()).resolves.toMatchObject({ value: { entry: { path: '1' } } });
});
