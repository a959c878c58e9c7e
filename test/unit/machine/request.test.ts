import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../../../src/host/ports.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import { leaveRequest, takeRequest } from '../../../src/machine/request.ts';
import type { NodeName } from '../../../src/release.ts';
import { stillClock } from './support.ts';

let root: string;
let layout: NodeLayout;
let warned: string[];
const log = { warn: (message: string) => void warned.push(message) } as unknown as Log;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'request-'));
  layout = layoutAt(root).node('demo' as NodeName);
  await mkdir(layout.run, { recursive: true });
  warned = [];
});
afterEach(() => rm(root, { recursive: true }));

describe('a request', () => {
  it('is taken once: what was asked for is not done again by the next run [P44]', async () => {
    const clock = stillClock();
    const left = await leaveRequest({ kind: 'rollback' }, layout, clock);
    expect(await takeRequest(layout, clock, log)).toEqual(left);
    expect(await takeRequest(layout, clock, log)).toBeUndefined();
    expect(await readdir(layout.run)).toEqual([]);
  });

  it('of an earlier boot is never carried out, and the journal says so [P45]', async () => {
    await leaveRequest({ kind: 'rollback' }, layout, stillClock());
    const next = stillClock();
    expect(await takeRequest(layout, next, log)).toBeUndefined();
    expect(warned).toEqual([expect.stringContaining('rollback')]);
    expect(await takeRequest(layout, next, log)).toBeUndefined();
  });

  it('does not take the place of one that waits: whoever comes second is told to come again [P45]', async () => {
    const clock = stillClock();
    const left = await leaveRequest({ kind: 'rollback' }, layout, clock);
    await expect(leaveRequest({ kind: 'upgrade', force: [] }, layout, clock)).rejects.toMatchObject({
      code: 'HOST_LOCKED',
      exit: 75,
    });
    expect(await readdir(layout.run)).toEqual(['request.json']);
    expect(await takeRequest(layout, clock, log)).toEqual(left);
  });
});
