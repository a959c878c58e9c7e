import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { durableFiles } from '../../../src/host/files.ts';
import { outlastingReloads } from '../../../src/host/limit.ts';
import { run } from '../../../src/host/run.ts';

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'limit-'))));
afterEach(() => rm(directory, { recursive: true }));

function rig(dropIn: string) {
  const sent: string[] = [];
  const warned: string[] = [];
  let up = 0;
  const plain = {
    heartbeat: (ms: number) => Promise.resolve(void sent.push(`beat ${ms}`)),
    status: (text: string) => Promise.resolve(void sent.push(text)),
  };
  const log = { warn: (message: string) => void warned.push(message) };
  const notify = outlastingReloads(plain, dropIn, { files: durableFiles(run), uptime: () => up, log });
  return { notify, sent, warned, at: (seconds: number) => (up = seconds) };
}

describe('a heartbeat that outlasts reloads', () => {
  it('leaves in the drop-in what each beat asks for, counted from the start of the unit [S1.36]', async () => {
    const dropIn = join(directory, 'unit.d', 'limit.conf');
    const { notify, sent, at } = rig(dropIn);
    await notify.heartbeat(120_000);
    expect(await readFile(dropIn, 'utf8')).toMatch(/^\[Service\]\nTimeoutStartSec=120s\n$/m);
    at(600.2);
    await notify.heartbeat(120_000);
    expect(await readFile(dropIn, 'utf8')).toMatch(/^TimeoutStartSec=721s$/m);
    await notify.status('soaking');
    expect(sent).toEqual(['beat 120000', 'beat 120000', 'soaking']);
  });

  it('beats on with a warning where the drop-in cannot be written', async () => {
    await writeFile(join(directory, 'file'), '');
    const { notify, sent, warned } = rig(join(directory, 'file', 'limit.conf'));
    await notify.heartbeat(30_000);
    expect(sent).toEqual(['beat 30000']);
    expect(warned).toEqual([expect.stringContaining('reload')]);
  });
});
