/** What becomes of the node when its data is whole: real files, a bus that says what is asked of it, a room that answers. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { restoreData } from '../../../src/activation/restore.ts';
import { UpdaterError } from '../../../src/errors.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { NodeName, Version } from '../../../src/release.ts';

let root: string;
let layout: NodeLayout;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'restore-'));
  layout = layoutAt(root).node('demo' as NodeName);
  for (const directory of [layout.home, layout.run, layout.state]) await mkdir(directory, { recursive: true });
  await symlink('versions/2.0.0', layout.current);
});
afterEach(() => rm(root, { recursive: true }));

const RESTORE = { backup: 'b1', id: 't1', to: '1.0.0' as Version, before: 'running' } as const;

interface Node {
  activeState: string;
  readonly unitFileState?: string;
}

/** `code`: what the room says is wrong; '' when nothing is. */
function contextOf(node: Node, code = '', bootId = 'boot 1'): ActivationContext {
  const service = { nRestarts: 0, restart: 'always', result: 'success', timeoutStopUsec: 0n };
  const facts = () =>
    Promise.resolve({
      unitFileState: 'enabled',
      ...node,
      subState: '',
      job: 0,
      triggeredBy: [],
      invocationId: 'i1',
      service,
    });
  const start = async () => {
    const { id, kind } = JSON.parse(await readFile(layout.backupOrder, 'utf8')) as { id: string; kind: string };
    const said =
      code === '' ? { kind: 'done', result: { kind, before: [] } } : { kind: 'failed', code, message: '', remedy: '' };
    if (code !== 'dies') await writeFile(layout.backupReport, JSON.stringify({ id, ...said }));
    return 'done';
  };
  const stop = () => Promise.resolve((node.activeState = 'inactive'));
  return {
    ...{ layout, unit: 'demo.service', settings: { node: 'demo', backup: {}, mounts: [] }, files: durableFiles(run) },
    ...{ bus: { facts, start, stop }, clock: { bootId, monotonic: () => 0n, wait: () => Promise.resolve() } },
    heartbeat: { beat: () => undefined, during: <T>(waited: Promise<T>) => waited },
  } as unknown as ActivationContext;
}

const marks = () => [layout.restoring, layout.downMark].map((path) => existsSync(path));

it('starts again what it has stopped, and leaves the mark by which the fallback would [F102]', async () => {
  expect(await restoreData(RESTORE, contextOf({ activeState: 'active' }))).toEqual({ kind: 'done', then: 'start' });
  expect(await readlink(layout.current)).toBe('versions/1.0.0');
  expect(marks()).toEqual([false, true]);
  expect(await readFile(layout.downMark, 'utf8')).toBe('i1');
});

it('lets a node rest that its operator has stopped, and makes no mark by which anybody would start it [F086]', async () => {
  expect(await restoreData(RESTORE, contextOf({ activeState: 'inactive' }))).toEqual({ kind: 'done', then: 'rest' });
  expect(marks()).toEqual([false, false]);
});

it('says that a node is to be started again before it stops what somebody has started meanwhile [F086]', async () => {
  const node = { activeState: 'inactive' };
  const context = contextOf(node);
  const written: string[] = [];
  const files = {
    ...context.files,
    replace: async (path: string, text: string, mode: number) => {
      await context.files.replace(path, text, mode);
      if (path !== layout.restoring) return;
      written.push(`${text.trim()}: ${node.activeState}`);
      // Somebody starts it just before the file that would have refused him.
      if (written.length === 1) node.activeState = 'active';
    },
  };
  expect(await restoreData(RESTORE, { ...context, files })).toEqual({ kind: 'done', then: 'start' });
  expect(written).toEqual(['b1\nrests boot 1: inactive', 'b1: active']);
});

it('holds the node down where the room died, and remembers what is to become of it [F102]', async () => {
  const node = { activeState: 'inactive' };
  expect(await restoreData(RESTORE, contextOf(node, 'dies'))).toMatchObject({ kind: 'half-done' });
  expect(await readFile(layout.restoring, 'utf8')).toBe('b1\nrests boot 1\n');
  expect(await restoreData(RESTORE, contextOf(node))).toMatchObject({ then: 'rest' });
});

it.each([
  { unitFileState: 'enabled', then: 'start' },
  { unitFileState: 'disabled', then: 'rest' },
])(
  'after a boot it does with a node that rested as the boot would: $unitFileState',
  async ({ unitFileState, then }) => {
    const node = { activeState: 'inactive', unitFileState };
    await restoreData(RESTORE, contextOf(node, 'dies'));
    expect(await restoreData(RESTORE, contextOf(node, '', 'boot 2'))).toMatchObject({ kind: 'done', then });
  },
);

it.each(['BACKUP_RESTORE', 'HOST_MOUNT', 'HOST_STATE'])('does not take %s for data that is as it was', async (code) => {
  expect(await restoreData(RESTORE, contextOf({ activeState: 'active' }, code))).toMatchObject({ kind: 'half-done' });
  expect(existsSync(layout.restoring)).toBe(true);
});

it('lets the node go where the room says that the data is as it was', async () => {
  const end = await restoreData(RESTORE, contextOf({ activeState: 'active' }, 'BACKUP_DAMAGED'));
  expect(end).toMatchObject({ kind: 'refused', then: 'start', error: { code: 'BACKUP_DAMAGED' } });
  expect(await readlink(layout.current)).toBe('versions/2.0.0');
  expect(marks()).toEqual([false, true]);
});

it.each(['HOST_UNIT', 'USAGE_NOT_PERMITTED'] as const)(
  'holds the node down where the room could not be asked to go on (%s): it may be masked [F102]',
  async (code) => {
    const context = contextOf({ activeState: 'active' });
    await restoreData(RESTORE, contextOf({ activeState: 'active' }, 'dies'));
    const start = () => Promise.reject(new UpdaterError(code, 'refused', { remedy: '' }));
    const end = await restoreData(RESTORE, { ...context, bus: { ...context.bus, start } });
    expect(end).toMatchObject({ kind: 'half-done', error: { code } });
    expect(existsSync(layout.restoring)).toBe(true);
    expect(await readlink(layout.current)).toBe('versions/2.0.0');
  },
);

it('holds the node down where somebody has removed the [backup] table between two tries [F102]', async () => {
  await restoreData(RESTORE, contextOf({ activeState: 'active' }, 'dies'));
  const context = contextOf({ activeState: 'inactive' });
  const settings = {
    node: 'demo',
    file: 'demo.toml',
    mounts: [] as readonly string[],
  } as ActivationContext['settings'];
  const end = await restoreData(RESTORE, { ...context, settings });
  expect(end).toMatchObject({ kind: 'half-done', error: { code: 'CONFIG_INVALID' } });
  expect(existsSync(layout.restoring)).toBe(true);
});

it('takes an order that cannot be written for no answer of the room', async () => {
  await mkdir(layout.backupOrder);
  const end = await restoreData(RESTORE, contextOf({ activeState: 'active' }));
  expect(end).toMatchObject({ kind: 'half-done', error: { code: 'BACKUP_ROOM' } });
});

it('asks the room for nothing while a mount is missing, holds the node down, and goes on once it is there [F102]', async () => {
  const { bus, ...context } = contextOf({ activeState: 'active' });
  const settings = { ...context.settings, file: 'demo.toml', mounts: ['/srv/data'] };
  const onHost = (mounted: 'active' | 'inactive') => {
    const mount = contextOf({ activeState: mounted }).bus;
    const facts = (unit: string) => (unit === 'srv-data.mount' ? mount : bus).facts(unit);
    return { ...context, settings, bus: { ...bus, facts } };
  };
  const end = await restoreData(RESTORE, onHost('inactive'));
  expect(end).toMatchObject({ kind: 'half-done', error: { code: 'HOST_MOUNT', message: '/srv/data is not mounted' } });
  const remedy: unknown = expect.stringMatching(/systemctl start 'srv-data.mount'.* held down.*demo.toml/);
  expect(end).toHaveProperty('error.remedy', remedy);
  expect([existsSync(layout.backupOrder), existsSync(layout.restoring)]).toEqual([false, true]);
  expect(await restoreData(RESTORE, onHost('active'))).toMatchObject({ kind: 'done' });
});
