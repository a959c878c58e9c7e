import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { ensureUnits } from '../../../src/activation/ensure-units.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { NodeName } from '../../../src/release.ts';

let root: string;
let layout: NodeLayout;
let reloads: number;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'units-'));
  layout = layoutAt(root).node('demo' as NodeName);
  await mkdir(dirname(layout.unitFile), { recursive: true });
  reloads = 0;
});
afterEach(() => rm(root, { recursive: true }));

function context(description = 'demo'): ActivationContext {
  const unit = { description, exec: ['bin/demod'], type: 'simple', user: 'demo', environment: {}, restart: 'always' };
  const times = { restartDelay: 1000, stopTimeout: 1000 };
  return {
    bus: { reload: () => (reloads++, Promise.resolve()) },
    files: durableFiles(run),
    layout,
    log: { info: () => undefined },
    settings: { node: 'demo', file: '/etc/node-updater/nodes.d/demo.toml', unit: { ...unit, ...times } },
    unit: 'demo.service',
  } as unknown as ActivationContext;
}

describe('the units of a node', () => {
  it('are written once, with one reload, and again when the configuration says something else', async () => {
    for (let times = 0; times < 2; times++) await ensureUnits(context());
    expect(reloads).toBe(1);
    await ensureUnits(context('another'));
    expect(reloads).toBe(2);
    expect(await readFile(layout.unitFile, 'utf8')).toContain('Description=another');
  });

  it.each([
    {
      name: 'a unit that its operator wrote',
      plant: (path: string) => writeFile(path, '[Service]\nExecStart=/bin/x\n'),
    },
    { name: 'the link of a mask', plant: (path: string) => symlink('/dev/null', path) },
    { name: 'an empty file', plant: (path: string) => writeFile(path, '') },
  ])('never take the place of $name, and nothing is written beside it [S3.49]', async ({ plant }) => {
    await plant(layout.unitFile);
    const before = await readFile(layout.unitFile, 'utf8');
    await expect(ensureUnits(context())).rejects.toMatchObject({
      code: 'HOST_UNIT',
      remedy: expect.stringContaining(`mv ${layout.unitFile} ${layout.unitFile}.before`) as string,
    });
    expect(await readFile(layout.unitFile, 'utf8')).toBe(before);
    expect(await readdir(dirname(layout.unitFile))).toEqual(['demo.service']);
    expect(reloads).toBe(0);
  });
});
