import { createHash, randomBytes } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cutAfter, inTurn, serve, status } from '../../rig/http/misbehave.ts';
import { startRawServer, startServer } from '../../rig/http/server.ts';
import { failed, makeRoom } from './helpers.ts';
import type { Handler } from '../../rig/http/static.ts';

const body = randomBytes(300_000);
const other = randomBytes(300_000);
const signed = { size: body.length, sha256: createHash('sha256').update(body).digest('hex') };
const archive = { limit: body.length, signed };
const good: Handler = serve(body, '"v1"');

/** Ends by closing, without a length: undici calls that a whole body. */
function closeDelimited(bytes: Buffer): Handler {
  return (_request, response) => {
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { connection: 'close' }).end(bytes);
  };
}

describe('a mirror that has another file than the signed one', () => {
  it.each<{ name: string; bad: Handler }>([
    { name: 'cut short, without a length [F008]', bad: closeDelimited(body.subarray(0, 200_000)) },
    { name: 'empty, without a length [F008]', bad: closeDelimited(Buffer.alloc(0)) },
    { name: 'shorter, and says so [F018]', bad: serve(body.subarray(1), '"v1"') },
    { name: 'longer, and says so [F006]', bad: serve(Buffer.concat([body, body]), '"v1"') },
    { name: 'as long, with other bytes [F018]', bad: serve(other, '"v1"') },
    { name: 'missing [F018]', bad: status(404) },
  ])('gives way to the next one, where it is $name', async ({ bad }) => {
    await using room = await makeRoom();
    await using first = await startServer(bad);
    await using second = await startServer(good);
    const url = `${second.origin}/`;
    expect(await room.fetch([`${first.origin}/`, url], archive)).toMatchObject({ outcome: 'fetched', url });
    expect((await room.content()).equals(body)).toBe(true);
  });

  it('is fetched from when it is the last, so that the transaction says what is wrong with the bytes [F018]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(serve(other, '"v1"'));
    expect(await room.fetch([server.origin], archive)).toMatchObject({ outcome: 'fetched' });
    expect((await room.content()).equals(other)).toBe(true);
  });

  it('is named, with what it sent [F018]', async () => {
    await using room = await makeRoom();
    await using first = await startServer(serve(other, '"v1"'));
    await using second = await startServer(status(404));
    const report = failed(await room.fetch([first.origin, second.origin], archive));
    expect(report.code).toBe('SOURCE_PROTOCOL');
    expect(report.message).toContain(`127.0.0.1:${String(first.port)} has another file than the signed one as file.`);
  });

  it('may be a directory of this host as well [P42]', async () => {
    await using room = await makeRoom();
    await using stick = await makeRoom();
    await writeFile(join(stick.directory, 'a'), other);
    await using server = await startServer(good);
    const urls = [pathToFileURL(join(stick.directory, 'a')).href, server.origin];
    expect(await room.fetch(urls, archive)).toMatchObject({ outcome: 'fetched', url: server.origin });
  });
});

it('a body that is cut without a length is gone on with where it was cut, when its ETag is strong [F008]', async () => {
  await using room = await makeRoom();
  const cut: Handler = (_request, response) => {
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { connection: 'close', etag: '"v1"' }).end(body.subarray(0, 200_000));
  };
  await using server = await startServer(inTurn(cut, good));
  expect(await room.fetch([server.origin], archive)).toMatchObject({ outcome: 'fetched' });
  expect(server.requests[1]?.headers.range).toBe('bytes=200000-');
  expect(server.bodyBytes()).toBe(body.length);
  expect((await room.content()).equals(body)).toBe(true);
});

it.each([
  { name: 'more than follows [F007]', length: 400_000 },
  { name: 'less than follows [F025]', length: 100_000 },
])('a server whose Content-Length is $name is refused, and the process lives on', async ({ length }) => {
  await using room = await makeRoom();
  await using server = await startRawServer((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(length)}\r\n\r\n`);
    socket.end(body);
  });
  expect(failed(await room.fetch([server.origin], archive)).code).toMatch(/^SOURCE_/);
  await using fine = await startServer(good);
  expect(await room.fetch([fine.origin], archive)).toMatchObject({ outcome: 'fetched' });
});

describe('the signed file that is there already', () => {
  it('is not fetched again by a later run, not one byte [S1.11] [F003]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(good);
    await room.fetch([server.origin], archive);
    expect(await room.fetch([server.origin], archive)).toMatchObject({ outcome: 'fetched', bytes: body.length });
    expect(server.requests).toHaveLength(1);
  });

  it('is what is signed: other bytes, a link or a directory under its name are fetched over', async () => {
    await using elsewhere = await makeRoom();
    await writeFile(join(elsewhere.directory, 'body'), body);
    const plants: ((path: string) => Promise<void>)[] = [
      (path) => writeFile(path, other),
      (path) => writeFile(path, body.subarray(1)),
      (path) => symlink(join(elsewhere.directory, 'body'), path),
    ];
    for (const plant of plants) {
      await using room = await makeRoom();
      await using server = await startServer(good);
      await plant(join(room.directory, 'file'));
      expect(await room.fetch([server.origin], archive)).toMatchObject({ outcome: 'fetched' });
      expect(server.requests).toHaveLength(1);
      expect((await room.content()).equals(body)).toBe(true);
    }
  });

  it('takes the place of a directory that somebody left there', async () => {
    await using room = await makeRoom();
    await using server = await startServer(good);
    await mkdir(join(room.directory, 'file'));
    expect(await room.fetch([server.origin], archive)).toMatchObject({ outcome: 'fetched' });
    expect((await room.content()).equals(body)).toBe(true);
  });
});

it('a part is kept over two mirrors that fail, and gone on with where it came from [F003] [F016]', async () => {
  await using room = await makeRoom();
  await using first = await startServer(inTurn(cutAfter(body, '"v1"', 100_000, 'end'), status(404), good));
  await using second = await startServer(status(503, { 'retry-after': '3600' }));
  const urls = [`${first.origin}/`, `${second.origin}/`];
  expect(failed(await room.fetch(urls, archive)).code).toBe('SOURCE_HTTP_STATUS');
  expect(await room.fetch(urls, archive)).toMatchObject({ outcome: 'fetched' });
  expect(first.bodyBytes()).toBe(body.length);
});
