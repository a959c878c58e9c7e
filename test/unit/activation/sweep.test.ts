import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { sweepProbation } from '../../../src/activation/sweep.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { NodeName } from '../../../src/release.ts';

let root: string;
let layout: NodeLayout;
let reloads: number;
let warnings: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sweep-'));
  layout = layoutAt(root).node('demo' as NodeName);
  reloads = 0;
  warnings = [];
  for (const directory of [layout.home, layout.run, dirname(layout.probation)])
    await mkdir(directory, { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

/** `loaded`: the drop-ins that systemd has read. */
function contextOf(loaded: readonly string[]): ActivationContext {
  const facts = () => Promise.resolve({ dropInPaths: loaded, needDaemonReload: loaded.length > 0 && reloads === 0 });
  const bus = { facts, reload: () => Promise.resolve(reloads++) };
  const log = { warn: (message: string) => warnings.push(message) };
  return { layout, bus, log, unit: 'demo.service', files: durableFiles(run) } as unknown as ActivationContext;
}

const marks = () => [layout.openMark, layout.downMark, layout.stoppedMark, layout.restartMark, layout.probation];

describe('sweepProbation', () => {
  it('removes every mark and the drop-in, and has systemd forget it', async () => {
    for (const path of marks()) await writeFile(path, '');
    await sweepProbation(contextOf([layout.probation]));
    expect([...(await readdir(layout.run)), ...(await readdir(dirname(layout.probation)))]).toEqual([]);
    expect(reloads).toBe(1);
  });

  it('has systemd forget a drop-in that is gone already', async () => {
    await sweepProbation(contextOf([layout.probation]));
    expect(reloads).toBe(1);
  });

  it('leaves all to the fallback while its link is there', async () => {
    for (const path of marks()) await writeFile(path, '');
    await symlink('versions/1', layout.fallback);
    await sweepProbation(contextOf([layout.probation]));
    expect(await readdir(layout.run)).toHaveLength(4);
    expect(reloads).toBe(0);
  });

  it('does nothing where nothing is left, whatever else of the unit was changed', async () => {
    await sweepProbation(contextOf(['/etc/systemd/system/demo.service.d/own.conf']));
    expect(reloads).toBe(0);
  });

  it('only tells of what it cannot remove', async () => {
    await mkdir(layout.stoppedMark);
    await sweepProbation(contextOf([]));
    expect(warnings.join()).toContain('stays until the next run');
  });
});
