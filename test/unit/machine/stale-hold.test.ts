/** A node that nothing open holds down: real files, a bus that says what is asked of it, a room that answers. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { MachineContext } from '../../../src/machine/context.ts';
import type { OpenTransaction } from '../../../src/machine/recover.ts';
import { endStaleHold } from '../../../src/machine/stale-hold.ts';
import type { Working } from '../../../src/machine/state.ts';
import type { NodeName } from '../../../src/release.ts';
import { v } from './support.ts';

let root: string;
let layout: NodeLayout;
let said: string[];
let orders: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hold-'));
  layout = layoutAt(root).node('demo' as NodeName);
  said = [];
  orders = [];
  for (const directory of [layout.home, layout.run, layout.state]) await mkdir(directory, { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

interface Node {
  activeState: string;
  readonly unitFileState?: string;
}

/** `room`: what the backup room says is wrong; `restart`: what systemd does when it is asked to start the node. */
function contextOf(node: Node, { room = '', restart = 'comes up', mounts = [] as string[] } = {}): MachineContext {
  const service = {
    nRestarts: 0,
    restart: 'no',
    result: 'exit-code',
    timeoutStopUsec: 0n,
    execMainStartMonotonic: 1n,
  };
  const facts = (unit: string) =>
    Promise.resolve({
      ...{
        unitFileState: 'enabled',
        ...(unit.endsWith('mount') ? { activeState: 'inactive' } : node),
        subState: '',
        job: 0,
        triggeredBy: [],
        invocationId: 'i1',
        service,
      },
      ...{ unit: 'demo.service', dropInPaths: [], needDaemonReload: false },
    });
  const start = async () => {
    const { id, kind } = JSON.parse(await readFile(layout.backupOrder, 'utf8')) as { id: string; kind: string };
    orders.push(`${kind} while it is ${node.activeState}`);
    const answer =
      room === ''
        ? { kind: 'done', result: { kind, restores: [] } }
        : { kind: 'failed', code: room, message: 'no', remedy: 'R' };
    await writeFile(layout.backupReport, JSON.stringify({ id, ...answer }));
    return 'done';
  };
  const bus = {
    ...{ facts, start, resetFailed: () => Promise.resolve() },
    stop: () => Promise.resolve((node.activeState = 'inactive')),
    restart: () => {
      orders.push(`restart with the hold ${existsSync(layout.restoring) ? 'there' : 'gone'}`);
      if (restart === 'the bus is lost') return Promise.reject(new Error(restart));
      node.activeState = restart === 'comes up' ? 'active' : 'failed';
      return Promise.resolve('done');
    },
  };
  const say = (text: string) => said.push(text);
  return {
    ...{ layout, bus, unit: 'demo.service', files: durableFiles(run), log: { warn: say, error: say } },
    settings: { node: 'demo', file: 'demo.toml', backup: {}, mounts, gate: { startTimeout: 1000 } },
    clock: { bootId: 'this', monotonic: () => 0n, wait: () => Promise.resolve() },
    heartbeat: { beat: () => undefined, during: <T>(waited: Promise<T>) => waited },
  } as unknown as MachineContext;
}

const hold = (text = 'b1\n') => writeFile(layout.restoring, text);
const marks = () => [layout.restoring, layout.openMark, layout.downMark].map((path) => existsSync(path));
const NONE = [false, false, false];

function open(...visited: Working[]): OpenTransaction {
  const transaction = { id: 't', action: 'upgrade', from: v('1'), to: v('2') } as const;
  return {
    ...{ transaction, reached: visited.at(-1), visited: new Set(visited) },
    ...{ failure: undefined, lastEvent: undefined, boot: 'before' },
  };
}

describe('a hold that no open restore needs', () => {
  it('ends with the node up: what restores left is finished first, the file goes, then the node starts [F072]', async () => {
    await hold();
    const node = { activeState: 'inactive' };
    await endStaleHold(undefined, contextOf(node));
    expect(orders).toEqual(['finish while it is inactive', 'restart with the hold gone']);
    expect(marks()).toEqual(NONE);
    expect(said.join()).toMatch(/a power cut has brought the file back.*runs again/);
  });

  it.each([
    { rests: 'this', unitFileState: 'enabled', then: 'stays stopped' },
    { rests: 'another', unitFileState: 'disabled', then: 'stays stopped' },
    { rests: 'another', unitFileState: 'enabled', then: 'runs again' },
    { rests: 'no', unitFileState: 'disabled', then: 'stays stopped' },
    { rests: 'no', unitFileState: 'static', then: 'runs again' },
  ])(
    'does with a node that rested in $rests boot and is $unitFileState as a boot would: it $then [F086]',
    async ({ rests, unitFileState, then }) => {
      await hold(rests === 'no' ? 'b1\n' : `b1\nrests ${rests}\n`);
      await endStaleHold(undefined, contextOf({ activeState: 'inactive', unitFileState }));
      expect(marks()).toEqual(NONE);
      expect(said.join()).toContain(then);
      expect(orders.length).toBe(then === 'runs again' ? 2 : 1);
    },
  );

  it('holds on while a restore cannot be finished, says why, and leaves no mark that would have it tried for ever [F102]', async () => {
    await hold();
    await expect(
      endStaleHold(undefined, contextOf({ activeState: 'inactive' }, { room: 'BACKUP_RESTORE' })),
    ).rejects.toMatchObject({ code: 'BACKUP_RESTORE', remedy: 'R' });
    expect(marks()).toEqual([true, false, false]);
    expect(await readFile(layout.restoring, 'utf8')).toBe('b1\n');
  });

  it('holds on while what the node needs mounted is not: nothing is asked of the room, and the node is not started [F102]', async () => {
    await hold();
    const node = { activeState: 'inactive' };
    await expect(endStaleHold(undefined, contextOf(node, { mounts: ['/srv'] }))).rejects.toMatchObject({
      code: 'HOST_MOUNT',
      message: '/srv is not mounted',
    });
    expect(orders).toEqual([]);
    expect(marks()).toEqual([true, false, false]);
    await endStaleHold(undefined, contextOf(node));
    expect(marks()).toEqual(NONE);
  });

  it('stops what runs all the same before the data is touched', async () => {
    await hold();
    await endStaleHold(undefined, contextOf({ activeState: 'active' }));
    expect(orders[0]).toBe('finish while it is inactive');
  });

  it('leaves the start to the fallback, by its marks, where the bus is lost [F072]', async () => {
    await hold();
    const lost = contextOf({ activeState: 'inactive' }, { restart: 'the bus is lost' });
    await expect(endStaleHold(undefined, lost)).rejects.toThrow('the bus is lost');
    expect(marks()).toEqual([false, true, true]);
  });

  it('ends all the same where the node does not come up, and that is said', async () => {
    await hold();
    await endStaleHold(undefined, contextOf({ activeState: 'inactive' }, { restart: 'fails' }));
    expect(marks()).toEqual(NONE);
    expect(said.join()).toMatch(/demo.service failed.*left to what its unit says/);
  });

  it('of another transaction than the open one ends, too', async () => {
    await hold();
    await endStaleHold(open('fetch', 'arm', 'activate'), contextOf({ activeState: 'inactive' }));
    expect(marks()).toEqual(NONE);
  });
});

describe('a hold that is left alone', () => {
  it.each(['restore', 'go-back'] as const)('is that of a transaction whose `%s` is open', async (state) => {
    await hold();
    await endStaleHold(open('arm', state), contextOf({ activeState: 'inactive' }));
    expect(marks()).toEqual([true, false, false]);
  });

  it('is one where the fallback is not done', async () => {
    await hold();
    await writeFile(layout.openMark, '');
    await endStaleHold(open('arm'), contextOf({ activeState: 'inactive' }));
    await rm(layout.openMark);
    await symlink('versions/1', layout.fallback);
    await endStaleHold(undefined, contextOf({ activeState: 'inactive' }));
    expect(marks()).toEqual([true, false, false]);
  });

  it('is none at all: nothing is asked and nothing is said', async () => {
    await endStaleHold(undefined, contextOf({ activeState: 'inactive' }));
    expect([...orders, ...said]).toEqual([]);
  });
});
