/**
 * The model is worth as much as it is true: its steps are held against the calls that the real ones make and against what
 * they answer, on a real disk, and its commands against the units.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stageRelease, type UnpackInto } from '../../../../src/activation/stage.ts';
import { startNode } from '../../../../src/activation/start.ts';
import type { ErrorCode } from '../../../../src/errors.ts';
import { durableFiles } from '../../../../src/host/files.ts';
import type { Files, SystemBus, UnitFacts } from '../../../../src/host/ports.ts';
import { run } from '../../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../../src/layout.ts';
import type { MachineContext } from '../../../../src/machine/context.ts';
import { failureOf, type Answer } from '../../../../src/machine/run.ts';
import type { Event, Transaction, Working } from '../../../../src/machine/state.ts';
import { endStaleHold } from '../../../../src/machine/stale-hold.ts';
import { makeSteps } from '../../../../src/machine/steps.ts';
import type { Digest, NodeName } from '../../../../src/release.ts';
import { stillClock, v } from '../support.ts';
import { makeBook } from './book.ts';
import { BOOT, REVERT } from './fallback.ts';
import { advance, factsOf } from './node.ts';
import { aboutOf, effectOf, follow } from './transaction.ts';
import { REAL } from './design.ts';
import { DOWN, STEPS } from './step-cases.ts';
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
  await mkdir(layout.state, { recursive: true });
  await symlink('versions/old', layout.current);
});
afterEach(() => rm(root, { recursive: true }));

/** What a path is called in the model. */
function nameOf(path: string): string {
  if (path === layout.probation) return 'probation';
  if (path === dirname(layout.probation)) return 'drop-ins';
  if (path === layout.run) return 'run';
  if (path.endsWith('.complete')) return 'record';
  if (path.endsWith('.files')) return 'listing';
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
    flushDirectory: (path) => (record('flushDirectory', path), real.flushDirectory(path)),
    syncFileSystem: (path) => (record('syncFileSystem', path), real.syncFileSystem(path)),
    rename: (from, to) => (calls.push('rename version'), real.rename(from, to)),
  };
}

/** What the backup room answers, in the file that systemd opens for it. */
async function answerOfRoom(w: World): Promise<void> {
  const order = JSON.parse(await readFile(layout.backupOrder, 'utf8')) as { id: string; kind: string };
  const damaged = { kind: 'failed', code: 'BACKUP_DAMAGED', message: 'it is not there', remedy: 'none' };
  const done = { kind: 'done', result: { kind: order.kind, backup: 'b', before: [] } };
  await writeFile(
    layout.backupReport,
    `${JSON.stringify({ id: order.id, ...(w.data !== '' && w.backup === '' && order.kind === 'restore' ? damaged : done) })}\n`,
  );
}

/** A bus whose unit does what the model's node does. */
function recordingBus(w: World): SystemBus {
  const settled = <T>(call: string, value: T) => {
    calls.push(call);
    return Promise.resolve(value);
  };
  const restarted = (call: string) => {
    if (w.act !== 'inactive' || call === 'restart')
      Object.assign(w, { act: 'active', runs: 'new', fresh: true, restarts: 0 });
    return settled(call, 'done' as const);
  };
  const facts = (): UnitFacts => ({ ...factsOf(w), needDaemonReload: w.loaded !== existsSync(layout.probation) });
  return {
    facts: () => settled('facts', facts()),
    reload: () => {
      w.loaded = existsSync(layout.probation);
      return settled('reload', undefined);
    },
    start: () => answerOfRoom(w).then(() => settled('start', 'done' as const)),
    tryRestart: () => restarted('tryRestart'),
    restart: () => restarted('restart'),
    stop: () => {
      Object.assign(w, DOWN);
      return settled('stop', 'done' as const);
    },
    resetFailed: () => settled('resetFailed', undefined),
    watch: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
  } as Partial<SystemBus> as SystemBus;
}

function contextOf(w: World): MachineContext {
  const gate = { startTimeout: 1000, grace: 0, soak: 0, interval: 1, failures: 1, probes: [] };
  return {
    layout,
    unit: 'demo.service',
    settings: { node: 'demo', gate, backup: {}, mounts: [] },
    log: { warn: () => undefined },
    files: recordingFiles(),
    clock: { ...stillClock(), bootId: '0', wait: () => Promise.resolve(void goOn(w)) },
    bus: recordingBus(w),
    heartbeat: { beat: () => undefined, status: () => undefined, during: <T>(waited: Promise<T>) => waited },
  } as unknown as MachineContext;
}

/** Time passes: the next step of systemd. */
function goOn(w: World): string | undefined {
  w.bootUnit = 'idle';
  return advance(w, false);
}

/** A world in the middle of an upgrade, about to take `state`. */
function worldAt(
  state: Working,
  change: Partial<World>,
  as: Partial<Transaction> = {},
): { w: World; model: Parameters<typeof aboutOf>[1] } {
  const book = makeBook();
  const w: World = { ...firstWorld('upgrade', 0, book), tx: 'running', staged: 'good', state, phase: 'step', op: 0 };
  const transaction = { id: 't', action: 'upgrade', from: 'old', to: 'new', ...as } as never;
  w.ledger = book.append(w.ledger, { kind: 'opened', transaction }, 0);
  w.ledger = book.append(w.ledger, { kind: 'intent', tx: 't', state: 'activate' }, 0);
  return {
    w: { ...w, ...change },
    model: {
      design: REAL,
      book,
      sulky: false,
      slow: false,
      collectable: false,
      data: { backups: 'first', back: 'restore-data' },
    },
  };
}

/** The host of the model, on a real disk. */
async function layOut(w: World): Promise<void> {
  await rm(layout.current);
  await symlink(`versions/${w.current}`, layout.current);
  if (w.fallback !== '') await symlink(`versions/${w.fallback}`, layout.fallback);
  const marks = [w.open && layout.openMark, w.stopped && layout.stoppedMark, w.dropIn && layout.probation];
  for (const path of marks) {
    if (path === false) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, '');
  }
}

interface Did {
  readonly calls: readonly string[];
  readonly event: Event;
  readonly code: ErrorCode | '';
}

/** What the real step does and answers. */
async function done(state: Working, change: Partial<World>, as?: Partial<Transaction>): Promise<Did> {
  const { w, model } = worldAt(state, change, as);
  await layOut(w);
  const { open } = aboutOf(w, model);
  const steps = makeSteps(
    open.transaction,
    open,
    undefined,
    { records: [], append: () => Promise.reject(new Error()) },
    contextOf(w),
  );
  // What a preflight would have seen.
  const step =
    w.before === 'down' ? () => startNode('down', contextOf(w)).then(() => ({ event: 'ok' as const })) : steps[state];
  const answer: Answer = await step().catch((error: unknown) => ({ event: 'failed', failure: failureOf(error) }));
  return { calls, event: answer.event, code: answer.failure?.code ?? '' };
}

/** What the model's step does and answers. */
function modelled(state: Working, change: Partial<World>, as?: Partial<Transaction>): Did {
  const { w, model } = worldAt(state, change, as);
  const made: string[] = [];
  while (w.phase === 'step') {
    const effect = REAL.program[state][w.op];
    if (effect === undefined) throw new Error(`${state} has no effect ${w.op}`);
    const flow = effect.act(w, aboutOf(w, model));
    if (effect.port !== undefined) made.push(...[effect.port].flat());
    if (flow === 'blocked') {
      if (goOn(w) === undefined) throw new Error(`${state} waits for ever`);
      continue;
    }
    follow(w, flow);
  }
  return { calls: made, event: w.answer as Event, code: w.code };
}

describe('the model', () => {
  it.each(STEPS)('does and answers in `$state` what the real step does, for $of', async ({ state, at, as }) => {
    expect(modelled(state, at, as)).toEqual(await done(state, at, as));
  });

  it('makes the calls of `stage` in their order', async () => {
    const release = { version: v('new'), digest: 'd' as Digest, entries: 1, unpackedSize: 1, binary: 'demo' };
    const unpack: UnpackInto = async (directory) => {
      calls.push('unpack');
      await writeFile(`${directory}/demo`, '#!/bin/sh\n');
      await chmod(`${directory}/demo`, 0o755);
      return [];
    };
    await stageRelease(release, unpack, layout, recordingFiles());
    expect(calls).toEqual(modelled('stage', { staged: '', copy: 'good' }).calls);
  });

  it.each([
    { of: 'that is down', at: DOWN },
    { of: 'that runs all the same', at: {} },
  ])('makes the calls by which a node $of is let go that nothing open holds, in their order', async ({ at }) => {
    const { w, model } = worldAt('restore', { phase: 'held', data: 'old', restoring: 'start', ...at });
    const real = { ...w };
    const made: string[] = [];
    while (w.phase === 'held') {
      const effect = effectOf(w, model);
      const flow = effect?.act(w, aboutOf(w, model)) ?? 'blocked';
      if (flow !== 'blocked') follow(w, flow);
      else if (goOn(w) === undefined) throw new Error(`waits for ever: ${effect?.say ?? ''}`);
      if (flow !== 'blocked' && effect?.port !== undefined) made.push(...[effect.port].flat());
    }
    await writeFile(layout.restoring, 'b\n');
    await endStaleHold(undefined, contextOf(real));
    expect(calls).toEqual(made);
    expect([w.restoring, w.act, existsSync(layout.restoring), real.act]).toEqual(['', 'active', false, 'active']);
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
      'ConditionPathExists=!/run/node-updater/%i/open',
    ]);
  });
});
