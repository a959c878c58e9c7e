import { describe, expect, it } from 'vitest';
import { parseArgs } from '../../../src/cli/args.ts';
import { estimateLines, listLines, verdictLines } from '../../../src/cli/backup.ts';
import { quickInvocation } from '../../../src/cli/quick.ts';
import type { BackupRecord } from '../../../src/backup/record.ts';
import type { NodeName, Version } from '../../../src/release.ts';

const ID = '20261121T041512000Z-0a1b2c3d';

describe('backup', () => {
  it.each([
    ['create', { action: 'create', mode: 'follow' }],
    ['create demo --dry-run', { action: 'create', node: 'demo', mode: 'dry-run' }],
    ['list demo', { action: 'list', node: 'demo', mode: 'follow' }],
    [`verify ${ID}`, { action: 'verify', id: ID, mode: 'follow' }],
    [`restore ${ID} demo --no-wait`, { action: 'restore', id: ID, node: 'demo', mode: 'no-wait' }],
    [`restore demo ${ID}`, { action: 'restore', id: ID, node: 'demo', mode: 'follow' }],
  ])('%s is understood', async (line, command) => {
    const { command: parsed } = await parseArgs(['backup', ...line.split(' ')], '1');
    expect(parsed).toEqual({ name: 'backup', ...command });
  });

  it.each(['', 'make', `create ${ID}`, 'list a b', `restore ${ID} ${ID}`, 'list --force'])(
    '%j is refused',
    async (line) => {
      await expect(parseArgs(['backup', ...line.split(' ')], '1')).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    },
  );

  it('of the room takes one node, and is told without yargs', () => {
    expect(quickInvocation(['backup-room', 'demo'])?.command).toEqual({ name: 'backup-room', node: 'demo' });
  });

  it('verify does not call whole what nobody has read', () => {
    expect(verdictLines('demo', [{ id: ID, whole: 'whole' }])).toEqual([`${ID} is whole.`]);
    expect(verdictLines('demo', [{ id: ID, whole: 'unread' }])).toMatchObject([
      { text: expect.stringContaining('nobody knows their content') as string },
    ]);
  });

  it('list says which version wrote the data, and what nobody has read yet', () => {
    const path = {
      path: '/srv/demo',
      kind: 'directory',
      mount: 'elsewhere',
      method: 'reflink',
      entries: 3,
      bytes: 5 * 1024 ** 2,
      excluded: 0,
      special: 0,
      boundary: 0,
      listing: '0'.repeat(64),
    } as const;
    const record: BackupRecord = {
      schema: 1,
      id: ID,
      number: 1,
      node: 'demo' as NodeName,
      at: '2026-11-21T04:15:12.000Z',
      reason: 'before 2.0.0',
      from: '1.0.0' as Version,
      took: 5,
      entries: 3,
      bytes: path.bytes,
      exclude: [],
      neverRestore: [],
      paths: [path],
    };
    expect(listLines('demo', '/b', [record])[1]).toBe(
      `${ID}  1.0.0    5.0M  reflink  before 2.0.0; content not read yet`,
    );
    expect(listLines('demo', '/b', [])[0]).toBe('demo has no backup in /b.');
    const estimate = { bytes: 2048, entries: 3, seconds: 2, paths: [{ ...path, bytes: 2048 }] };
    expect(estimateLines('demo', estimate).at(-1)).toBe(
      'demo would be down for about 2 s, for 2.0K in 3 entries. No backup was made.',
    );
  });
});
