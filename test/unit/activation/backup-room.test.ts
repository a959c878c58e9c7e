/** Against a room that answers as the real one does: through the file that systemd opens for it. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createBackup,
  dropBefore,
  estimateBackup,
  pruneBackups,
  restoreBackup,
  sealBackup,
  verifyBackup,
} from '../../../src/activation/backup-room.ts';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { parseBackupOrder } from '../../../src/backup/order.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import type { BackupOrder } from '../../../src/orders.ts';
import type { NodeName, Version } from '../../../src/release.ts';
import type { BackupSettings } from '../../../src/settings.ts';

const SETTINGS: BackupSettings = {
  paths: ['/srv/demo'],
  exclude: ['cache/'],
  neverRestore: [],
  directory: '/backup',
  keep: 3,
  keepAge: 5,
  method: 'auto',
};

let root: string;
let layout: NodeLayout;
const orders: BackupOrder[] = [];
const started: string[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'room-'));
  layout = layoutAt(root).node('demo' as NodeName);
  orders.length = started.length = 0;
});
afterEach(() => rm(root, { recursive: true }));

/** `answer`: what the room writes; an object is a line with the id of its order. */
function context(answer: object | string | undefined, backup: BackupSettings = SETTINGS) {
  const start = async (unit: string) => {
    started.push(unit);
    const order = parseBackupOrder(await readFile(layout.backupOrder, 'utf8'));
    orders.push(order);
    const text = typeof answer === 'object' ? `${JSON.stringify({ id: order.id, ...answer })}\n` : answer;
    if (text !== undefined) await writeFile(layout.backupReport, text);
    return 'failed';
  };
  const settings = { node: 'demo', file: 'demo.toml', backup };
  const heartbeat = { during: <T>(waited: Promise<T>) => waited };
  const files = durableFiles(run);
  return { layout, files, settings, heartbeat, bus: { start } } as unknown as ActivationContext;
}

describe('the backup room', () => {
  it('gets the whole order as a file, and its answer is given on', async () => {
    const occasion = { reason: 'before 2.0.0', from: '1.0.0' as Version, epoch: 3 };
    const result = { kind: 'create', backup: 'b1', bytes: 1, took: 2 };
    expect(await createBackup(occasion, context({ kind: 'done', result }))).toBe('b1');
    expect(orders).toEqual([
      { schema: 1, id: expect.any(String) as string, kind: 'create', settings: SETTINGS, ...occasion },
    ]);
    expect(started).toEqual(['node-updater-backup@demo.service']);
  });

  it.each([
    ['estimate', (room: ActivationContext) => estimateBackup(room)],
    ['verify', (room: ActivationContext) => verifyBackup('b1', room)],
    ['seal', (room: ActivationContext) => sealBackup('b1', room)],
    ['drop', (room: ActivationContext) => dropBefore('r1', room)],
    ['prune', (room: ActivationContext) => pruneBackups([], room)],
  ])(
    'does what the node need not be down for (%s) in a unit that no start of the node waits for',
    async (kind, order) => {
      await order(context({ kind: 'done', result: { kind, removed: [] } }));
      expect(started).toEqual(['node-updater-tend@demo.service']);
    },
  );

  it('is the same room by both its names', () => {
    const lines = (name: string) =>
      readFileSync(`units/node-updater-${name}@.service`, 'utf8')
        .split('\n')
        .filter((line) => !/^(#|Description=)/.test(line));
    expect(lines('tend')).toEqual(lines('backup'));
  });

  it('says why it failed in its own code', async () => {
    const failed = { kind: 'failed', code: 'DISK_FULL', message: 'no room', remedy: 'free some' };
    await expect(estimateBackup(context(failed))).rejects.toMatchObject({ code: 'DISK_FULL', remedy: 'free some' });
    await expect(estimateBackup(context({ ...failed, code: 'NEWER_CODE' }))).rejects.toMatchObject({
      code: 'BACKUP_ROOM',
    });
  });

  it.each([
    { name: 'no answer', answer: undefined },
    { name: 'half a line', answer: '{"id":' },
    {
      name: 'the answer to another order',
      answer: { id: 'other', kind: 'done', result: { kind: 'finish', restores: [] } },
    },
    { name: 'another answer', answer: { kind: 'done', result: { kind: 'seal' } } },
  ])('that leaves $name has failed', async ({ answer }) => {
    await expect(restoreBackup('b1', 't1', context(answer))).rejects.toMatchObject({ code: 'BACKUP_ROOM' });
  });

  it('is not asked where nothing is configured, and asks nothing of an order that is none', async () => {
    await expect(
      estimateBackup({ ...context(undefined), settings: { node: 'demo', file: 'x' } } as never),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    expect(started).toEqual([]);
    expect(() => parseBackupOrder('{"schema":1,"kind":"drop","restore":"../x"}')).toThrow(/cannot be understood/);
  });
});
