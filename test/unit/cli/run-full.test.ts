/** The timer's run where /run of one node is full: a tmpfs in a mount namespace of its own. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { layoutAt } from '../../../src/layout.ts';
import { node } from './ledger.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'run-full-'));
  await mkdir(layoutAt(root).node(node('demo')).run, { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

const source = (path: string) => JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href);

const SCRIPT = `
  import { readdirSync } from 'node:fs';
  import { runNodes } from ${source('cli/run.ts')};
  import { hostClock } from ${source('host/clock.ts')};
  import { durableFiles } from ${source('host/files.ts')};
  import { layoutAt } from ${source('layout.ts')};
  const said = { started: [], errors: [] };
  const layout = layoutAt(process.env.ROOT);
  const nodes = ['demo', 'other'].map((node) => ({ node, interval: 1000 }));
  const exit = await runNodes({ nodes }, [], {
    layout,
    clock: hostClock(),
    files: durableFiles(() => Promise.reject(new Error('unused'))),
    log: { debug() {}, info() {}, error: (text, { code }) => said.errors.push(code + ' ' + text) },
    bus: async () => ({ startNoWait: async (unit) => void said.started.push(unit) }),
  });
  const left = ['demo', 'other'].map((node) => readdirSync(layout.node(node).run).join());
  console.log(JSON.stringify({ ...said, exit, left }));`;

it('tells of the node whose request has no room, leaves nothing half-done of it, and asks the next one', async () => {
  const place = layoutAt(root).node(node('demo')).run;
  const full = `mount -t tmpfs -o size=4k none "${place}" && head -c 4096 /dev/zero >"${place}/fill" && exec "$@"`;
  const command = ['-rm', 'sh', '-c', full, 'sh', process.execPath, '--input-type=module', '-e', SCRIPT];
  const { stdout } = await promisify(execFile)('unshare', command, { env: { ...process.env, ROOT: root } });
  expect(JSON.parse(stdout)).toEqual({
    exit: 75,
    errors: [expect.stringMatching(/^DISK_FULL demo: cannot leave .*request\.json: ENOSPC .*df -h/)],
    started: ['node-updater@other.service'],
    left: ['fill', 'request.json'],
  });
});
