import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkWhole } from '../../../src/activation/check-whole.ts';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { makeWay } from '../../../src/activation/make-way.ts';
import type { Transition } from '../../../src/activation/preflight.ts';
import { stageRelease } from '../../../src/activation/stage.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { Digest, NodeName, Version } from '../../../src/release.ts';
import { v } from '../machine/support.ts';
import { listTree } from './list-tree.ts';

const OLD = v('1.0.0');
const NEW = v('2.0.0');
let root: string;
let layout: NodeLayout;
let context: ActivationContext;
let told: string[];
let beats: number;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'whole-'));
  layout = layoutAt(root).node('demo' as NodeName);
  [told, beats] = [[], 0];
  const beat = (): void => {
    beats++;
  };
  context = {
    layout,
    files: durableFiles(run),
    settings: { node: 'demo' },
    heartbeat: { beat, status: beat },
    log: { info: (message: string) => void told.push(message) },
  } as unknown as ActivationContext;
  for (const version of [OLD, NEW]) await stage(version);
  await symlink(`versions/${NEW}`, layout.current);
});
afterEach(() => rm(root, { recursive: true }));

async function stage(version: Version): Promise<void> {
  const release = { version, digest: 'a'.repeat(64) as Digest, entries: 1, unpackedSize: 1, binary: 'bin/sleep' };
  const fill = async (directory: string) => {
    await mkdir(join(directory, 'bin'));
    await copyFile('/bin/sleep', join(directory, 'bin/sleep'));
    return listTree(directory);
  };
  await stageRelease(release, fill, layout, context.files);
}

const damage = (version: Version) => writeFile(join(layout.versions, version, 'bin/more'), '');

function transition(action: Transition['action'], change: Partial<Transition> = {}): Transition {
  return { action, from: NEW, to: OLD, forced: [], ...change };
}

describe('#checkWhole', () => {
  it('refuses a rollback to a version that is not what was staged, and names the first difference and what to type [F070]', async () => {
    await damage(OLD);
    await expect(checkWhole(transition('rollback'), context)).rejects.toMatchObject({
      code: 'HOST_DAMAGED',
      exit: 5,
      message: '1.0.0 is not what was staged: bin/more is new',
      remedy: expect.stringMatching(/versions demo --restage 1\.0\.0\. .* --to 1\.0\.0 --force damaged$/) as string,
    });
    expect(beats).toBeGreaterThan(3);
  });

  it.each([
    { name: 'a restore that goes back to it', change: transition('restore'), version: OLD, remedy: '--restage 1.0.0' },
    {
      name: 'a drill, which puts back the version that runs',
      change: transition('drill', { to: v('2.0.0-drill') }),
      version: NEW,
      remedy: '2.0.0 runs, so it cannot be replaced',
    },
  ])('refuses $name', async ({ change, version, remedy }) => {
    await checkWhole(change, context);
    await damage(version);
    await expect(checkWhole(change, context)).rejects.toMatchObject({
      code: 'HOST_DAMAGED',
      remedy: expect.stringContaining(remedy) as string,
    });
  });

  it.each([
    { name: 'an upgrade, whose version was unpacked a moment ago', change: transition('upgrade') },
    { name: 'a backup of the version that runs', change: transition('backup', { to: NEW }) },
    { name: 'a restore beneath the version that runs', change: transition('restore', { to: NEW }) },
    { name: 'a rollback that its operator forces', change: transition('rollback', { forced: ['damaged'] }) },
    { name: 'a rollback from a version that is damaged itself', change: transition('rollback'), only: NEW },
  ])('does not stand in the way of $name', async ({ change, only }) => {
    for (const version of only === undefined ? [OLD, NEW] : [only]) await damage(version);
    await checkWhole(change, context);
  });

  it('goes back to a version of which nothing is known, and says so', async () => {
    await unlink(join(layout.versions, `.${OLD}.files`));
    await damage(OLD);
    await checkWhole(transition('rollback'), context);
    expect(told).toEqual([expect.stringMatching(/^The files of 1\.0\.0 cannot be verified: an older node-updater/)]);
  });
});

describe('#makeWay', () => {
  it('removes a version with its record and listing', async () => {
    await makeWay(OLD, context);
    expect((await readdir(layout.versions)).sort()).toEqual([`.${NEW}.complete`, `.${NEW}.files`, NEW]);
  });

  it('never removes what a link names, nor that of which a program runs', async () => {
    await symlink(`versions/${OLD}`, layout.fallback);
    for (const version of [OLD, NEW])
      await expect(makeWay(version, context)).rejects.toMatchObject({ code: 'HOST_STATE' });
    await unlink(layout.fallback);
    const child = spawn(join(layout.versions, OLD, 'bin/sleep'), ['60']);
    await once(child, 'spawn');
    try {
      await expect(makeWay(OLD, context)).rejects.toMatchObject({
        code: 'HOST_STATE',
        remedy: expect.stringContaining(`pgrep -af ${layout.versions}/1.0.0/`) as string,
      });
    } finally {
      child.kill();
      await once(child, 'exit');
    }
    expect(await readdir(join(layout.versions, OLD, 'bin'))).toEqual(['sleep']);
  });
});
