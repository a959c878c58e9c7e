import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutAfter, ignoreRange, inTurn, serve, status, wrongContentRange } from '../../rig/http/misbehave.ts';
import { startServer } from '../../rig/http/server.ts';
import { MIB, failed, makeRoom, modeOf, type Room } from './helpers.ts';
import type { Handler } from '../../rig/http/static.ts';

const body = randomBytes(2 * MIB + 5);
const other = randomBytes(2 * MIB + 5);
const half = MIB;

describe('a download that was cut', () => {
  it.each([1, 65_536, half, body.length - 1])(
    'is resumed after byte %i, and no byte is fetched twice [S1.11] [F003] [F007] [P39]',
    async (bytes) => {
      await using room = await makeRoom();
      await using server = await startServer(inTurn(cutAfter(body, '"v1"', bytes, 'end'), serve(body, '"v1"')));
      expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched', bytes: body.length });
      expect((await room.content()).equals(body)).toBe(true);
      expect(server.bodyBytes()).toBe(body.length);
      expect(server.requests[1]?.headers).toMatchObject({ range: `bytes=${String(bytes)}-`, 'if-range': '"v1"' });
      expect(room.waits).toHaveLength(1);
    },
  );

  it('is resumed wherever it is cut, however often [F003]', async () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 300_000 }), { minLength: 1, maxLength: 3 });
    const small = body.subarray(0, 300_001);
    await fc.assert(
      fc.asyncProperty(cuts, async (points) => {
        const handlers = points.sort((a, b) => a - b).map((point) => cutAfter(small, '"v1"', point, 'end'));
        await using room = await makeRoom();
        await using server = await startServer(inTurn(...(handlers as [Handler]), serve(small, '"v1"')));
        expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
        expect((await room.content()).equals(small)).toBe(true);
        expect(server.bodyBytes()).toBe(small.length);
      }),
      { numRuns: 15 },
    );
  });

  it('is resumed after a reset, from what has arrived [F003]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(cutAfter(body, '"v1"', half, 'reset'), serve(body, '"v1"')));
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
    expect((await room.content()).equals(body)).toBe(true);
  });

  it('is resumed by a later run [F016] [S2.26]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(
      inTurn(cutAfter(body, '"v1"', half, 'end'), status(404), serve(body, '"v1"')),
    );
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_HTTP_STATUS');
    expect(await room.names()).toEqual(['fetch-report.json', 'file.part', 'file.part.json']);
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
    expect(server.bodyBytes()).toBe(body.length);
    expect(await room.names()).toEqual(['fetch-report.json', 'file']);
  });

  it('costs one byte when the end came between the last byte and the rename', async () => {
    await using room = await makeRoom();
    await using server = await startServer(serve(body, '"v1"'));
    await leavePart(room, body, { url: `${server.origin}/`, etag: '"v1"', total: body.length });
    expect(await room.fetch([`${server.origin}/`])).toMatchObject({ outcome: 'fetched' });
    expect(server.bodyBytes()).toBe(1);
    expect((await room.content()).equals(body)).toBe(true);
    expect(await modeOf(join(room.directory, 'file'))).toEqual({ mode: 0o640, nlink: 1 });
  });
});

it('a range without a length that ends early is noticed by its total, and asked for again [F008]', async () => {
  await using room = await makeRoom();
  const short: Handler = (request, response) => {
    const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]);
    response.writeHead(206, { etag: '"v1"', 'content-range': rangeText(first, body) });
    response.end(body.subarray(first, first + 1000));
  };
  await using server = await startServer(inTurn(cutAfter(body, '"v1"', half, 'end'), short, serve(body, '"v1"')));
  expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched', bytes: body.length });
  expect(server.requests[2]?.headers.range).toBe(`bytes=${String(half + 1000)}-`);
  expect((await room.content()).equals(body)).toBe(true);
});

describe('a part is thrown away, and the file fetched whole,', () => {
  it.each<{ name: string; then: Handler; id: string; expected: Buffer; requests: number }>([
    { name: 'when the ETag has changed', then: serve(other, '"v2"'), expected: other, requests: 2, id: '[F022]' },
    {
      name: 'when the range is not the one asked for',
      then: wrongContentRange(body, '"v1"'),
      expected: body,
      requests: 3,
      id: '[F021]',
    },
    {
      name: 'when the answer to a range is 200',
      then: ignoreRange(body, '"v1"'),
      expected: body,
      requests: 2,
      id: '[F021]',
    },
    { name: 'when 206 comes without an ETag', then: nameless206(body), expected: body, requests: 3, id: '[F021]' },
    {
      name: 'when 206 comes with the ETag of another file',
      then: lying206(other),
      expected: other,
      requests: 3,
      id: '[F022]',
    },
    {
      name: 'when the range is called unsatisfiable',
      then: unsatisfiable(other),
      expected: other,
      requests: 3,
      id: '[F021]',
    },
  ])('$name $id', async ({ then, expected, requests }) => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(cutAfter(body, '"v1"', half, 'end'), then));
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched', bytes: expected.length });
    expect((await room.content()).equals(expected)).toBe(true);
    expect(server.requests).toHaveLength(requests);
  });

  it('when its ETag is weak, since that does not name bytes [S1.11]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(cutAfter(body, 'W/"v1"', half, 'end'), serve(body, 'W/"v1"')));
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
    expect(server.requests[1]?.headers.range).toBeUndefined();
    expect((await room.content()).equals(body)).toBe(true);
  });

  it('when it came from another URL', async () => {
    await using room = await makeRoom();
    await using server = await startServer(serve(body, '"v1"'));
    await leavePart(room, other, { url: 'http://127.0.0.1:1/', etag: '"v1"', total: body.length });
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
    expect((await room.content()).equals(body)).toBe(true);
  });

  it.each(['', '{', '[]', '{"url":1}', '{"url":"x","etag":"W/\\"v\\""}', 'null'])(
    'when its notes are %j',
    async (notes) => {
      await using room = await makeRoom();
      await using server = await startServer(serve(body, '"v1"'));
      await writeFile(join(room.directory, 'file.part'), other);
      await writeFile(join(room.directory, 'file.part.json'), notes);
      expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
      expect(server.requests[0]?.headers.range).toBeUndefined();
      expect((await room.content()).equals(body)).toBe(true);
    },
  );
});

it('notes of a part name its URL, ETag and size, and nothing else', async () => {
  await using room = await makeRoom();
  await using server = await startServer(inTurn(cutAfter(body, '"v1"', half, 'end'), status(404)));
  await room.fetch([server.origin]);
  const notes: unknown = JSON.parse(await readFile(join(room.directory, 'file.part.json'), 'utf8'));
  expect(notes).toEqual({ url: `${server.origin}/`, etag: '"v1"', total: body.length });
});

async function leavePart(room: Room, bytes: Buffer, notes: object): Promise<void> {
  await writeFile(join(room.directory, 'file.part'), bytes);
  await writeFile(join(room.directory, 'file.part.json'), JSON.stringify(notes));
}

/** To a range: 206 with the right range and bytes, but without or with a foreign ETag. To anything else: honest. */
function nameless206(bytes: Buffer): Handler {
  return rangeOr(bytes, (first) => ({ 'content-range': rangeText(first, bytes) }));
}

function lying206(bytes: Buffer): Handler {
  return rangeOr(bytes, (first) => ({ 'content-range': rangeText(first, bytes), etag: '"v2"' }));
}

function rangeOr(bytes: Buffer, headers: (first: number) => Record<string, string>): Handler {
  return (request, response) => {
    const match = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    if (match === null) response.writeHead(200, { etag: '"v2"' }).end(bytes);
    else response.writeHead(206, headers(Number(match[1]))).end(bytes.subarray(Number(match[1])));
  };
}

function unsatisfiable(bytes: Buffer): Handler {
  return (request, response) => {
    if (request.headers.range === undefined) response.writeHead(200, { etag: '"v2"' }).end(bytes);
    else response.writeHead(416, { 'content-range': `bytes */${String(half)}` }).end();
  };
}

function rangeText(first: number, bytes: Buffer): string {
  return `bytes ${String(first)}-${String(bytes.length - 1)}/${String(bytes.length)}`;
}
