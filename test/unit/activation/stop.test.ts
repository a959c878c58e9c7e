/** What the mark `down` says before, during and after the stop of a node: real files, a bus that says what is asked of it. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { stopNode } from '../../../src/activation/stop.ts';
import { durableFiles } from '../../../src/host/files.ts';
import type { JobResult } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { NodeName } from '../../../src/release.ts';

let root: string;
let layout: NodeLayout;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stop-'));
  layout = layoutAt(root).node('demo' as NodeName);
  await mkdir(layout.run, { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

interface Node {
  job?: number;
  activeState: string;
  invocationId: string;
}

/** `stop`: what happens to the node while it is being stopped. */
function contextOf(node: Node, stop: () => Promise<JobResult>): ActivationContext {
  const facts = () => Promise.resolve({ job: 0, ...node, service: { timeoutStopUsec: 0n } });
  return {
    ...{ layout, unit: 'demo.service', files: durableFiles(run), bus: { facts, stop } },
    clock: { monotonic: () => 0n, wait: () => Promise.resolve() },
    heartbeat: { beat: () => undefined, during: <T>(waited: Promise<T>) => waited },
  } as unknown as ActivationContext;
}

const mark = () => readFile(layout.downMark, 'utf8');

it('its mark holds for whatever runs when the stop reaches it, and then for that alone [F086]', async () => {
  const node = { activeState: 'active', invocationId: 'i1' };
  const context = contextOf(node, async () => {
    expect(await mark()).toBe('');
    // It has ended by itself, and was started again, before the stop.
    Object.assign(node, { activeState: 'inactive', invocationId: 'i2' });
    return 'done';
  });
  expect(await stopNode(context)).toEqual({ kind: 'stopped' });
  expect(await mark()).toBe('i2');
});

it('leaves no mark on a node that somebody has started in the place of its stop [F086]', async () => {
  const node = { activeState: 'active', invocationId: 'i1' };
  const context = contextOf(node, () => {
    node.invocationId = 'i2';
    return Promise.resolve('canceled');
  });
  await expect(stopNode(context)).rejects.toMatchObject({ code: 'ACTIVATE_STOP' });
  expect(existsSync(layout.downMark)).toBe(false);
});

it.each([
  { job: 'no-answer', activeState: 'active' },
  { job: 'canceled', activeState: 'deactivating' },
] as const)('keeps its mark where the stop is still under way: $activeState, $job', async ({ job, activeState }) => {
  const node = { activeState: 'active', invocationId: 'i1' };
  const context = contextOf(node, () => {
    node.activeState = activeState;
    return Promise.resolve(job);
  });
  await expect(stopNode(context)).rejects.toMatchObject({ code: 'ACTIVATE_STOP' });
  expect(await mark()).toBe('i1');
});

it('makes no mark on a node that is down already, and says how it was [F086]', async () => {
  const node = { activeState: 'failed', invocationId: 'i1' };
  expect(await stopNode(contextOf(node, () => Promise.reject(new Error())))).toMatchObject({
    kind: 'was-down',
    facts: node,
  });
  expect(existsSync(layout.downMark)).toBe(false);
});

it('stops a node that is down between the halves of its restart, once it is up again [F086]', async () => {
  const node: Node = { activeState: 'inactive', invocationId: 'i1', job: 7 };
  const stop = (): Promise<JobResult> => {
    node.activeState = 'inactive';
    return Promise.resolve('done');
  };
  const goesOn = () => Promise.resolve(void Object.assign(node, { activeState: 'active', invocationId: 'i2', job: 0 }));
  const context = contextOf(node, stop);
  const waiting = { ...context, clock: { ...context.clock, wait: goesOn } };
  expect(await stopNode(waiting)).toEqual({ kind: 'stopped' });
  expect(await mark()).toBe('i2');
});
