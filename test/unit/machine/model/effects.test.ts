/**
 * The model is worth as much as it is true: its effects are held against the calls that the real functions make, and its
 * commands against the units.
 */
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { activate } from '../../../../src/activation/activate.ts';
import { arm } from '../../../../src/activation/arm.ts';
import { cleanUp } from '../../../../src/activation/clean.ts';
import { commit } from '../../../../src/activation/commit.ts';
import type { ActivationContext } from '../../../../src/activation/context.ts';
import { stageRelease } from '../../../../src/activation/stage.ts';
import { startNode } from '../../../../src/activation/start.ts';
import { withdraw } from '../../../../src/activation/withdraw.ts';
import { durableFiles } from '../../../../src/host/files.ts';
import type { Files, SystemBus, UnitFacts } from '../../../../src/host/ports.ts';
import { run } from '../../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../../src/layout.ts';
import type { Working } from '../../../../src/machine/state.ts';
import type { Digest, NodeName } from '../../../../src/release.ts';
import { stillClock, v } from '../support.ts';
import { makeBook } from './book.ts';
import { BOOT, REVERT } from './fallback.ts';
import { advance, factsOf } from './node.ts';
import { aboutOf, follow } from './transaction.ts';
import { REAL } from './design.ts';
import { firstWorld, type World } from './world.ts';

const UNITS = fileURLToPath(new URL('../../../../units', import.meta.url));
let root: string;
let layout: NodeLayout;
let calls: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'model-'));
  layout = layoutAt(root).node('demo' as NodeName);
  calls = [];
  await mkdir(`${layout.versions}/old`, { recursive: true });
  await mkdir(layout.run, { recursive: true });
  await symlink('versions/old', layout.current);
});
afterEach(() => rm(root, { recursive: true }));

/** What a path is called in the model. */
function nameOf(path: string): string {
  if (path === layout.probation) return 'probation';
  if (path === dirname(layout.probation)) return 'drop-ins';
  if (path === layout.run) return 'run';
  if (path.endsWith('.complete')) return 'record';
  if (basename(path).startsWith('.staging-')) return 'staging';
  return basename(path);
}

function recordingFiles(): Files {
  const real = durableFiles(run);
  const record = (call: string, path: string) => calls.push(`${call} ${nameOf(path)}`);
  return {
    ...real,
    replace: (path, bytes, mode) => (record('replace', path), real.replace(path, bytes, mode)),
    mark: (path, text) => (record('mark', path), real.mark(path, text)),
    symlink: (text, path) => (record('symlink', path), real.symlink(text, path)),
    switchLink: (text, path) => (record('switchLink', path), real.switchLink(text, path)),
    remove: (path) => (record('remove', path), real.remove(path)),
    makeDirectory: (path, mode) => (record('makeDirectory', path), real.makeDirectory(path, mode)),
    syncFileSystem: (path) => (record('syncFileSystem', path), real.syncFileSystem(path)),
    rename: (from, to) => (calls.push('rename version'), real.rename(from, to)),
  };
}

/** A bus whose unit does what the model's node does. */
function recordingBus(w: World): SystemBus {
  const settled = <T>(call: string, value: T) => {
    calls.push(call);
    return Promise.resolve(value);
  };
  const restarted = (call: string) => {
    Object.assign(w, { act: 'active', runs: 'new', fresh: true, restarts: 0 });
    return settled(call, 'done' as const);
  };
  const facts = (): UnitFacts => {
    const { service, ...unit } = factsOf(w);
    const limited = { ...service, startLimitIntervalUsec: 0n } as NonNullable<UnitFacts['service']>;
    return { ...unit, needDaemonReload: w.loaded !== w.dropIn, service: limited };
  };
  return {
    facts: () => settled('facts', facts()),
    reload: () => {
      w.loaded = calls.includes('replace probation') && !calls.includes('remove probation');
      w.dropIn = w.loaded;
      return settled('reload', undefined);
    },
    tryRestart: () => restarted('tryRestart'),
    restart: () => restarted('restart'),
    stop: () => settled('stop', 'done' as const),
    resetFailed: () => settled('resetFailed', undefined),
  } as Partial<SystemBus> as SystemBus;
}

function context(w: World): ActivationContext {
  return {
    layout,
    unit: 'demo.service',
    settings: { gate: { startTimeout: 1000 } },
    files: recordingFiles(),
    clock: stillClock(),
    bus: recordingBus(w),
    heartbeat: { beat: () => undefined, status: () => undefined, during: <T>(waited: Promise<T>) => waited },
  } as unknown as ActivationContext;
}

/** A world in the middle of an upgrade, about to take `state`. */
function worldAt(change: Partial<World> = {}): { w: World; model: Parameters<typeof aboutOf>[1] } {
  const book = makeBook();
  const w = { ...firstWorld('upgrade', 0, book), tx: 'running' as const, staged: 'good' as const, ...change };
  const transaction = { id: 't', action: 'upgrade', from: 'old', to: 'new' } as never;
  w.ledger = book.append(w.ledger, { kind: 'opened', transaction }, 0);
  return { w, model: { design: REAL, book, sulky: false, slow: false, collectable: false } };
}

/** The calls that the model makes in a state, on a host on which everything goes well. */
function modelled(state: Working, change: Partial<World> = {}): string[] {
  const { w, model } = worldAt({ state, phase: 'step', op: 0, ...change });
  const made: string[] = [];
  while (w.phase === 'step') {
    const effect = REAL.program[state][w.op];
    if (effect === undefined) break;
    const flow = effect.act(w, aboutOf(w, model));
    if (flow === 'blocked') {
      w.bootUnit = 'idle';
      if (advance(w, false) === undefined) throw new Error(`${state} waits for ever`);
      continue;
    }
    if (effect.port !== undefined) made.push(effect.port);
    follow(w, flow);
  }
  return made;
}

describe('the model', () => {
  it('makes the calls of `arm` in their order', async () => {
    await arm(v('old'), context(worldAt().w));
    expect(calls).toEqual(modelled('arm'));
  });

  it('makes the calls of `activate` in their order', async () => {
    await activate(v('new'), context(worldAt().w));
    expect(calls).toEqual(modelled('activate'));
  });

  it('makes the calls of `start` in their order, for a node that runs and for one that is down', async () => {
    await startNode('running', context(worldAt().w));
    expect(calls).toEqual(modelled('start', { current: 'new' }));
    calls = [];
    await startNode('down', context(worldAt({ act: 'failed', runs: '' }).w));
    expect(calls).toEqual(modelled('start', { current: 'new', before: 'down', act: 'failed', runs: '' }));
  });

  it('makes the calls of `commit` in their order', async () => {
    await rm(layout.current);
    await symlink('versions/new', layout.current);
    await commit(v('new'), { startedAfter: 1n, restarts: 0 }, context(worldAt({ fresh: true }).w));
    expect(calls).toEqual(modelled('commit', { fresh: true, current: 'new', fallback: 'old' }));
  });

  it('makes the calls of `clean` and of `withdraw` in their order', async () => {
    const probation = { dropIn: true, loaded: true } as const;
    await mkdir(dirname(layout.probation), { recursive: true });
    await writeFile(layout.probation, '');
    calls.push('replace probation');
    const { w } = worldAt({ dropIn: false, loaded: true });
    await cleanUp(context(w));
    expect(calls.slice(1)).toEqual(modelled('clean', probation));
    calls = ['replace probation'];
    await writeFile(layout.probation, '');
    await withdraw(context(worldAt({ dropIn: false, loaded: true }).w));
    expect(calls.slice(1)).toEqual(modelled('withdraw', probation));
  });

  it('makes the calls of `stage` in their order', async () => {
    const release = { version: v('new'), digest: 'd' as Digest, entries: 1, unpackedSize: 1, binary: 'demo' };
    const unpack = async (directory: string): Promise<void> => {
      calls.push('unpack');
      await writeFile(`${directory}/demo`, '#!/bin/sh\n');
      await chmod(`${directory}/demo`, 0o755);
    };
    await stageRelease(release, unpack, layout, recordingFiles());
    expect(calls).toEqual(modelled('stage', { staged: '', copy: 'good' }));
  });

  it.each([
    { unit: 'revert', commands: REVERT },
    { unit: 'boot', commands: BOOT },
  ])('has the commands of node-updater-$unit@, word by word', async ({ unit, commands }) => {
    const text = await readFile(`${UNITS}/node-updater-${unit}@.service`, 'utf8');
    const written = text.split('\n').flatMap((line) => /^ExecStart=(.*)$/.exec(line)?.[1] ?? []);
    expect(commands.map((command) => command.text)).toEqual(written);
  });

  it('has the conditions and chains of the units', async () => {
    const read = (unit: string) => readFile(`${UNITS}/node-updater${unit}@.service`, 'utf8');
    const [transaction, revert, boot] = await Promise.all(['', '-revert', '-boot'].map(read));
    for (const line of ['After=', 'OnFailure=', 'OnSuccess=']) {
      expect(transaction).toContain(`\n${line}node-updater-revert@%i.service\n`);
    }
    expect(revert).toContain('\nOnSuccess=node-updater@%i.service\n');
    expect(revert).toContain('\nRestart=on-failure\n');
    expect(revert?.match(/^Condition.*$/gm)).toEqual([
      'ConditionPathIsSymbolicLink=|/opt/%i/fallback',
      'ConditionPathExists=|/run/node-updater/%i/open',
    ]);
    expect(boot?.match(/^Condition.*$/gm)).toEqual([
      'ConditionPathIsSymbolicLink=/opt/%i/fallback',
      'ConditionPathExists=!/run/node-updater-live/%i',
    ]);
  });
});
