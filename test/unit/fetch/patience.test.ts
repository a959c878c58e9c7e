import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inTurn, serve, status } from '../../rig/http/misbehave.ts';
import { startServer } from '../../rig/http/server.ts';
import { MIB, failed, makeRoom, only, type Room } from './helpers.ts';
import type { FetchDeps } from '../../../src/fetch/context.ts';

const good = serve(Buffer.from('body'), '"v1"');
const START = Date.parse('2026-11-21T10:00:00Z');
const MINUTE = 60_000;

function at(minutes: number): Partial<FetchDeps> {
  const clock = { now: () => START + minutes * MINUTE, monotonic: () => 0n, wait: () => Promise.resolve() };
  return { clock };
}

async function runAt(room: Room, minutes: number, urls: readonly string[]) {
  const { report } = await room.run({ files: [{ name: 'file', urls, limit: MIB }], keep: [] }, at(minutes));
  return only(report);
}

describe('a server that asked to be left alone for an hour', () => {
  it('is not asked by runs before that is over, and by the first one after it [S1.29] [F019]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(status(429, { 'retry-after': '3600' }), good));
    expect(failed(await runAt(room, 0, [server.origin])).retryAfter).toBe(60 * MINUTE);
    const early = failed(await runAt(room, 59, [server.origin]));
    expect(early).toMatchObject({ code: 'SOURCE_HTTP_STATUS', retryAfter: MINUTE });
    expect(early.message).toContain('asked to be left alone, for 1 more min; it is not asked before 2026-11-21T11:00');
    expect(server.requests).toHaveLength(1);
    expect((await runAt(room, 60, [server.origin])).outcome).toBe('fetched');
  });

  it('does not keep the next mirror from being asked [S1.12] [F019]', async () => {
    await using room = await makeRoom();
    await using busy = await startServer(status(503, { 'retry-after': '3600' }));
    await using fine = await startServer(good);
    for (const minutes of [0, 30])
      expect((await runAt(room, minutes, [busy.origin, fine.origin])).outcome).toBe('fetched');
    expect([busy.requests.length, fine.requests.length]).toEqual([1, 2]);
  });

  it('is asked for nothing else in the same run [F019]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(status(429, { 'retry-after': '3600' }));
    const files = ['a', 'b'].map((name) => ({ name, urls: [`${server.origin}/${name}`], limit: 1 }));
    const { report } = await room.run({ files }, at(0));
    expect(report.files.map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
    expect(server.requests).toHaveLength(1);
  });

  it('is asked when the clock was set back, since nobody may ask for more than a day [F019]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(status(429, { 'retry-after': '999999999' }), good));
    expect(failed(await runAt(room, 0, [server.origin])).retryAfter).toBe(24 * 60 * MINUTE);
    expect((await runAt(room, -1, [server.origin])).outcome).toBe('fetched');
  });

  it('is asked after a day, whatever it asked for [F019]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(status(429, { 'retry-after': '999999999' }), good));
    await runAt(room, 0, [server.origin]);
    expect(failed(await runAt(room, 24 * 60 - 1, [server.origin])).retryAfter).toBe(MINUTE);
    expect((await runAt(room, 24 * 60, [server.origin])).outcome).toBe('fetched');
  });
});

it.each(['', '{', '[]', 'null', '{"http://127.0.0.1":"soon"}', '{"http://127.0.0.1":1e300}'])(
  'notes of what servers asked for that say %j hold nobody back',
  async (text) => {
    await using room = await makeRoom();
    await using server = await startServer(good);
    await writeFile(
      join(room.directory, '.retry-after.json'),
      text.replace('127.0.0.1', `127.0.0.1:${String(server.port)}`),
    );
    expect((await runAt(room, 0, [server.origin])).outcome).toBe('fetched');
  },
);

it('what servers asked for is forgotten when it is over, and never more than 64 of them are remembered', async () => {
  await using room = await makeRoom();
  await using server = await startServer(status(429, { 'retry-after': '90' }));
  const later = (index: number): number => START + (index + 2) * MINUTE;
  const many = Array.from({ length: 100 }, (_, index) => [`https://m${String(index)}.example`, later(index)] as const);
  const past = [['https://past.example', START - 1] as const];
  await writeFile(join(room.directory, '.retry-after.json'), JSON.stringify(Object.fromEntries([...past, ...many])));
  await runAt(room, 0, [server.origin]);
  const kept = JSON.parse(await readFile(join(room.directory, '.retry-after.json'), 'utf8')) as Record<string, number>;
  expect(Object.keys(kept)).toHaveLength(64);
  expect(kept).toMatchObject({ 'https://m99.example': later(99) });
  expect(kept).not.toHaveProperty(['https://past.example']);
});
