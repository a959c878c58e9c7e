/** What a run does with a request after it has settled: a real ledger, real files, a bus that is lost at the stop. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UpdaterError } from '../../../src/errors.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { MachineContext } from '../../../src/machine/context.ts';
import { openLedger, type Ledger } from '../../../src/machine/ledger.ts';
import { transact } from '../../../src/machine/transact.ts';
import type { Request } from '../../../src/orders.ts';
import type { NodeName } from '../../../src/release.ts';
import { stillClock, v } from './support.ts';

let root: string;
let layout: NodeLayout;
let ledger: Ledger;
const clock = stillClock();

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'transact-'));
  layout = layoutAt(root).node('demo' as NodeName);
  for (const directory of [layout.versions, layout.run, layout.state]) await mkdir(directory, { recursive: true });
  await symlink('versions/1.0.0', layout.current);
  ledger = await openLedger(layout.ledger, durableFiles(run), clock);
});
afterEach(() => rm(root, { recursive: true }));

function contextOf(): MachineContext {
  const service = { nRestarts: 0, restart: 'on-failure', result: 'success', timeoutStopUsec: 0n };
  const facts = { activeState: 'active', subState: '', job: 0, triggeredBy: [], invocationId: 'i1', dropInPaths: [] };
  const lost = new UpdaterError('HOST_BUS', 'the bus is lost', { remedy: 'none' });
  const say = () => undefined;
  return {
    ...{ layout, clock, unit: 'demo.service', files: durableFiles(run), settings: { node: 'demo', backup: {} } },
    bus: { facts: () => Promise.resolve({ ...facts, service }), stop: () => Promise.reject(lost) },
    log: { info: say, warn: say, error: say, debug: say, milestone: () => Promise.resolve() },
    heartbeat: { beat: say, during: <T>(waited: Promise<T>) => waited },
    beingStopped: () => Promise.resolve(false),
  } as unknown as MachineContext;
}

it('begins nothing new on a node that it has left to the fallback, and says so to who asked', async () => {
  const transaction = {
    id: 't',
    action: 'restore',
    from: v('1.0.0'),
    to: v('1.0.0'),
    way: 'forward',
    restore: 'b',
  } as const;
  await ledger.append({ kind: 'opened', transaction });
  for (let tries = 0; tries < 2; tries++) await ledger.append({ kind: 'intent', tx: 't', state: 'restore' });
  const request: Request = { schema: 1, id: 'r', asked: 0, bootId: clock.bootId, kind: 'backup' };
  await transact(request, ledger, contextOf());
  const entries = ledger.records.map(({ entry }) => entry);
  expect(entries.filter(({ kind }) => kind === 'ended')).toMatchObject([{ tx: 't', outcome: 'rollback-failed' }]);
  expect(entries.filter(({ kind }) => kind === 'opened')).toHaveLength(1);
  expect(entries.at(-1)).toMatchObject({ kind: 'answer', request: 'r', failure: { code: 'HOST_LOCKED' } });
  expect([layout.openMark, layout.downMark].map((path) => existsSync(path))).toEqual([true, true]);
});

it('begins nothing, and sweeps up no mark of it, while the fallback has the node still to start', async () => {
  const { files } = contextOf();
  await files.mark(layout.openMark, '');
  await files.mark(layout.downMark, 'i1');
  const request: Request = { schema: 1, id: 'r', asked: 0, bootId: clock.bootId, kind: 'backup' };
  expect(await transact(request, ledger, contextOf())).toBe(75);
  const entries = ledger.records.map(({ entry }) => entry);
  expect(entries).toMatchObject([{ kind: 'answer', request: 'r', failure: { code: 'HOST_LOCKED' } }]);
  expect([layout.openMark, layout.downMark].map((path) => existsSync(path))).toEqual([true, true]);
});
