import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  drip,
  endless,
  gzipUnasked,
  hugeHeaders,
  inTurn,
  serve,
  silent,
  stall,
  status,
} from '../../rig/http/misbehave.ts';
import { closedPort, startRawServer, startServer } from '../../rig/http/server.ts';
import { MIB, SETTINGS, failed, makeRoom } from './helpers.ts';
import type { Handler } from '../../rig/http/static.ts';

const body = randomBytes(300_000);
const good: Handler = serve(body, '"v1"');

describe('a server that cannot be reached', () => {
  it('is tried four times with back-off, then reported with its name [S1.10] [F001]', async () => {
    await using room = await makeRoom();
    const report = failed(await room.fetch([`http://127.0.0.1:${String(await closedPort())}/`]));
    expect(report.code).toBe('SOURCE_UNREACHABLE');
    expect(report.message).toMatch(/^127\.0\.0\.1:\d+ refused the connection\.$/);
    expect(room.waits).toEqual([1500, 3000, 6000]);
  });

  it('has one try at each further file of the order, so that a mirror that is down costs its waits once [F001]', async () => {
    await using room = await makeRoom();
    await using fine = await startServer(good);
    const down = `http://127.0.0.1:${String(await closedPort())}`;
    const files = [
      { name: 'a', urls: [`${down}/a`], limit: MIB },
      { name: 'b', urls: [`${down}/b`, `${fine.origin}/b`], limit: MIB },
      { name: 'c', urls: [`${down}/c`, `${fine.origin}/c`], limit: MIB },
    ];
    const { report } = await room.run({ files });
    expect(report.files.map(({ outcome }) => outcome)).toEqual(['failed', 'fetched', 'fetched']);
    expect(room.waits).toEqual([1500, 3000, 6000]);
  });

  it('has all its tries again once it has answered', async () => {
    await using room = await makeRoom();
    const bad = status(500);
    await using server = await startServer(inTurn(bad, bad, bad, bad, good, bad, good));
    const files = ['a', 'b', 'c'].map((name) => ({ name, urls: [`${server.origin}/${name}`], limit: MIB }));
    const { report } = await room.run({ files });
    expect(report.files.map(({ outcome }) => outcome)).toEqual(['failed', 'fetched', 'fetched']);
    expect(room.waits).toEqual([1500, 3000, 6000, 1500]);
  });

  it('is reported as unknown to DNS when its name has no address [S1.10] [F001]', async () => {
    await using room = await makeRoom();
    const report = failed(await room.fetch(['https://no-such-host.invalid/manifest.json']));
    expect(report.code).toBe('SOURCE_UNREACHABLE');
    expect(report.message).toMatch(/DNS (has no address for|does not answer \(asked for) no-such-host\.invalid/);
  });

  it('is reported when no way leads there, and no packet comes back [S1.10] [F001]', async () => {
    await using room = await makeRoom();
    // An address for documentation: no network has it.
    const files = [{ name: 'file', urls: ['https://[2001:db8::1]/'], limit: 1 }];
    const { exit, report } = await room.run({ files, settings: { ...SETTINGS, connectTimeout: 100 } });
    expect(exit).toBe(75);
    expect(report.files[0]).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect(report.files[0]).toHaveProperty('message', expect.stringMatching(/no route to|did not take a connection/));
  });

  it('that takes requests and never answers is given up after the headers time-out [F004]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(silent());
    const report = failed(await room.fetch([server.origin], {}, { headersTimeout: 100 }));
    expect(report).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect(report.message).toContain('took the request and sent no answer within 0.1 s');
  });

  it('gives way to the next mirror in the order of the list [S1.12] [F018]', async () => {
    await using room = await makeRoom();
    await using bad = await startServer(status(404));
    await using fine = await startServer(good);
    const url = `${fine.origin}/x`;
    expect(await room.fetch([bad.origin, url, 'http://127.0.0.1:1/'])).toMatchObject({ outcome: 'fetched', url });
    expect(room.waits).toEqual([]);
  });
});

describe('a slow server', () => {
  it('that drips below the minimum speed is left by our own meter [S1.11] [F005]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(drip(100_000, 5, 20));
    const settings = { slowWindow: 300, minimumSpeed: 100_000 };
    const report = failed(await room.fetch([server.origin], {}, settings));
    expect(report.code).toBe('SOURCE_SLOW');
    expect(report.message).toContain('is slower than 100000 bytes/s over 0.3 s');
    expect(server.requests).toHaveLength(1);
  });

  it('that falls silent in the middle is left, and what came is kept [S1.11]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(stall(MIB, 1000));
    expect(failed(await room.fetch([server.origin], {}, { slowWindow: 200 })).code).toBe('SOURCE_SLOW');
    expect((await room.content('file.part')).length).toBe(1000);
  });

  it('that is just fast enough is still held to the total time [S1.11] [F005]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(drip(100_000, 5, 20));
    const settings = { totalTimeout: 300, minimumSpeed: 0 };
    const report = failed(await room.fetch([server.origin], {}, settings));
    expect(report.code).toBe('SOURCE_SLOW');
    expect(report.message).toContain('did not deliver file within 0.3 s');
  });
});

describe('too many bytes', () => {
  it('of an endless body end at the limit, and are thrown away [S1.11] [F006]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(endless());
    expect(failed(await room.fetch([server.origin], { limit: 3 * MIB + 1 })).code).toBe('SOURCE_TOO_LARGE');
    expect(await room.names()).toEqual(['fetch-report.json']);
  });

  it('are refused by one above the limit, and taken at the limit [S1.11] [F006]', async () => {
    const unsized: Handler = (_request, response) => response.writeHead(200).end(body) as unknown as undefined;
    await using room = await makeRoom();
    await using server = await startServer(unsized);
    expect(failed(await room.fetch([server.origin], { limit: body.length - 1 })).code).toBe('SOURCE_TOO_LARGE');
    expect(await room.fetch([server.origin], { limit: body.length })).toMatchObject({ outcome: 'fetched' });
  });

  it('announced in Content-Length are refused before one of them is taken', async () => {
    await using room = await makeRoom();
    await using server = await startServer((_request, response) => {
      response.writeHead(200, { 'content-length': body.length }).flushHeaders();
    });
    const report = failed(await room.fetch([server.origin], { limit: body.length - 1 }, { slowWindow: 500 }));
    expect(report.code).toBe('SOURCE_TOO_LARGE');
    expect(await room.names()).toEqual(['fetch-report.json']);
  });
});

describe('a busy server', () => {
  it('is waited for as long as it asks, and some random time [S1.29] [F019]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(status(503, { 'retry-after': '7' }), good));
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
    expect(room.waits).toEqual([8500]);
  });

  it('that asks for more than a minute is left to the next run, which is told [S1.29] [F019]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(status(429, { 'retry-after': '3600' }));
    expect(failed(await room.fetch([server.origin]))).toMatchObject({
      code: 'SOURCE_HTTP_STATUS',
      retryAfter: 3_600_000,
    });
    expect(server.requests).toHaveLength(1);
  });

  it('that fails three times is asked a fourth time [F020] [P39]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(status(500), status(500), status(500), good));
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
    expect(room.waits).toEqual([1500, 3000, 6000]);
  });
});

describe('an answer that is not the file', () => {
  it('because it is packed, unasked, is refused [F023]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(gzipUnasked(body));
    const report = failed(await room.fetch([server.origin]));
    expect(report.code).toBe('SOURCE_PROTOCOL');
    expect(report.message).toContain('packed as gzip');
  });

  it('but a web page, is named as a captive portal [S1.12] [F015]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(
      serve(Buffer.from('<html>'), '"p"', { 'content-type': 'text/html; charset=utf-8' }),
    );
    const report = failed(await room.fetch([server.origin]));
    expect(report.code).toBe('SOURCE_PROTOCOL');
    expect(report.message).toContain('captive portal');
  });

  it('but a network that wants a login (HTTP 511), is named as that and not asked again [F015]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(status(511));
    expect(failed(await room.fetch([server.origin])).message).toContain('captive portal');
    expect(server.requests).toHaveLength(1);
  });

  it('but a proxy that wants a password, is named as that [F015]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(status(407));
    expect(failed(await room.fetch([server.origin])).message).toContain('the proxy wants a user name and password');
  });

  it('but 100 kB of header, is refused [F024]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(hugeHeaders(100_000));
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_PROTOCOL');
  });

  it('but 10 000 short headers, is refused [F024]', async () => {
    await using room = await makeRoom();
    await using server = await startRawServer((socket) => {
      socket.end(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}Content-Length: 4\r\n\r\nbody`);
    });
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_PROTOCOL');
  });

  it.each([
    { name: 'two lengths', head: 'Content-Length: 4\r\nContent-Length: 5\r\n' },
    { name: 'a length and chunks', head: 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n' },
    { name: 'a length that is no number', head: 'Content-Length: four\r\n' },
  ])('because it has $name, is refused [F025]', async ({ head }) => {
    await using room = await makeRoom();
    await using server = await startRawServer((socket) => {
      socket.end(`HTTP/1.1 200 OK\r\n${head}\r\nbody!`);
    });
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_PROTOCOL');
    expect(await room.names()).toEqual(['fetch-report.json']);
  });

  it('but 304 or 206 to a plain request, is refused', async () => {
    await using room = await makeRoom();
    for (const code of [304, 206]) {
      await using server = await startServer(status(code, { 'content-range': 'bytes 0-3/4' }));
      expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_PROTOCOL');
    }
  });

  it('but announced for ever, is refused before the time-out for headers, which each announcement begins anew', async () => {
    await using room = await makeRoom();
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n';
    const answering = (answer: string) =>
      startRawServer((socket) => {
        socket.write(answer);
      });
    await using endless = await answering(early.repeat(5));
    expect(failed(await room.fetch([endless.origin]))).toMatchObject({
      code: 'SOURCE_PROTOCOL',
      message: expect.stringContaining('keeps announcing an answer and gives none') as string,
    });
    await using honest = await answering(`${early.repeat(2)}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody`);
    expect(await room.fetch([honest.origin])).toMatchObject({ outcome: 'fetched', bytes: 4 });
  });

  it('but HTTP in name only, is refused [F025]', async () => {
    await using room = await makeRoom();
    await using server = await startRawServer((socket) => {
      socket.end('SSH-2.0-OpenSSH_9.2\r\n');
    });
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_PROTOCOL');
  });
});
