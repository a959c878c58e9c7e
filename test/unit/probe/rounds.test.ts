import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyContains } from '../../../src/probe/http.ts';
import { runProbeRoom } from '../../../src/probe/room.ts';
import { hostClock } from '../../../src/host/clock.ts';
import { run } from '../../../src/host/run.ts';
import { httpServer, roundsOf, startRoom, tcpServer } from './rig.ts';

const OK = { type: 'http', status: 200 } as const;

async function unusedPort(): Promise<number> {
  await using server = await tcpServer();
  return server.port;
}

describe('http probe', () => {
  it('holds on the wanted status, round after round, each with its number and time', async () => {
    await using server = await httpServer((_, response) => response.end('fine'));
    await using room = startRoom(roundsOf([{ ...OK, url: server.url }]));
    const first = await room.next();
    const second = await room.next();
    expect(first).toMatchObject({ id: 'order', kind: 'round', round: 1, failures: [] });
    expect(second).toMatchObject({ kind: 'round', round: 2, failures: [] });
    if (first?.kind !== 'round' || second?.kind !== 'round') throw new Error('no rounds');
    expect(BigInt(second.at) > BigInt(first.at)).toBe(true);
  });

  it('fails on refused connections, and the room goes on [F094]', async () => {
    const port = await unusedPort();
    await using room = startRoom(roundsOf([{ ...OK, url: `http://127.0.0.1:${port}/` }]));
    const failure = [`http://127.0.0.1:${port}/: connection refused`];
    expect(await room.failures()).toEqual(failure);
    expect(await room.failures()).toEqual(failure);
    expect(room.logged).toEqual([`Probes fail: ${failure.join('')}`]);
  });

  it('fails on 500 and on a redirect, which it does not follow [F094]', async () => {
    let asked = 0;
    await using server = await httpServer((request, response) => {
      asked += request.url === '/elsewhere' ? 1 : 0;
      response.writeHead(request.url === '/500' ? 500 : 302, { location: '/elsewhere' }).end();
    });
    await using room = startRoom(roundsOf(['500', '302'].map((path) => ({ ...OK, url: server.url + path }))));
    expect(await room.failures()).toEqual([
      `${server.url}500: status 500, not 200`,
      `${server.url}302: status 302, not 200 (a redirect is not followed)`,
    ]);
    expect(asked).toBe(0);
  });

  it('fails on a server that takes the connection and never answers [F094]', async () => {
    await using server = await tcpServer();
    await using room = startRoom(roundsOf([{ ...OK, url: server.url }], { timeout: 50 }));
    expect(await room.failures()).toEqual([`${server.url}: no answer within 50 ms`]);
  });

  it('fails on a body that drips past the time limit, and on one that never holds the text [F094]', async () => {
    await using server = await httpServer((request, response) => {
      if (request.url === '/whole') return void response.end('nothing of the kind');
      const drip = setInterval(() => response.write('.'), 5);
      response.on('close', () => {
        clearInterval(drip);
      });
    });
    const probes = ['drip', 'whole'].map((path) => ({ ...OK, url: server.url + path, contains: 'healthy' }));
    await using room = startRoom(roundsOf(probes, { timeout: 300 }));
    expect(await room.failures()).toEqual([
      `${server.url}drip: no answer within 300 ms`,
      `${server.url}whole: the answer does not contain "healthy"`,
    ]);
  });

  it('finds the text across pieces of a body, and looks at the first MiB alone', async () => {
    await using server = await httpServer((request, response) => {
      if (request.url === '/far') return void response.end(`${'x'.repeat(1024 * 1024)}healthy`);
      response.write('hea', () => response.end('lthy'));
    });
    const probes = ['near', 'far'].map((path) => ({ ...OK, url: server.url + path, contains: 'healthy' }));
    await using room = startRoom(roundsOf(probes));
    expect(await room.failures()).toEqual([`${server.url}far: the answer does not contain "healthy"`]);
  });

  it('fails on what is no HTTP, and on an answer cut short [F094]', async () => {
    await using garbage = await tcpServer((socket) => socket.end('\u0000\u0001 hello\r\n\r\n'));
    await using cut = await httpServer((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    await using room = startRoom(
      roundsOf([
        { ...OK, url: garbage.url },
        { ...OK, url: cut.url, contains: 'whole' },
      ]),
    );
    expect(await room.failures()).toEqual([
      expect.stringMatching(/^http:.*: Parse Error/),
      expect.stringMatching(/^http:.*: (aborted|.*ECONNRESET.*)/),
    ]);
  });

  it('tells of each round as it was when the endpoint flaps [F094]', async () => {
    let asked = 0;
    await using server = await httpServer((_, response) => {
      asked += 1;
      response.writeHead(asked % 3 === 0 ? 503 : 200).end();
    });
    await using room = startRoom(roundsOf([{ ...OK, url: server.url }]));
    const seen: number[] = [];
    while (seen.length < 6) seen.push((await room.failures()).length);
    expect(seen).toEqual([0, 0, 1, 0, 0, 1]);
  });
});

describe('bodyContains', () => {
  it('finds a text wherever the pieces of a body break it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: fc.constantFrom('h', 'e', 'a') })), async (pieces) => {
        const body = Readable.from(pieces.map((piece) => Buffer.from(piece))) as AsyncIterable<Buffer>;
        expect(await bodyContains(body, 'hea')).toBe(pieces.join('').includes('hea'));
      }),
    );
  });
});

describe('tcp and unix probes', () => {
  it('hold when somebody accepts, and fail when nobody does', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'probe-'));
    const path = join(directory, 'control.sock');
    const unix = createServer().listen(path);
    await once(unix, 'listening');
    try {
      await using server = await tcpServer();
      const port = await unusedPort();
      await using room = startRoom(
        roundsOf([
          { type: 'tcp', host: '127.0.0.1', port: server.port },
          { type: 'tcp', host: '127.0.0.1', port },
          { type: 'tcp', host: 'localhost', port },
          { type: 'unix', path },
          { type: 'unix', path: `${path}.none` },
        ]),
      );
      expect(await room.failures()).toEqual([
        `tcp 127.0.0.1:${port}: connection refused`,
        expect.stringMatching(`^tcp localhost:${port}: connection refused`),
        expect.stringMatching(`^unix ${path}.none: .*ENOENT`),
      ]);
    } finally {
      unix.close();
      rmSync(directory, { recursive: true });
    }
  });
});

describe('exec probe', () => {
  it('holds on status 0, and tells why it failed otherwise', async () => {
    const commands = [
      ['/bin/true'],
      ['/bin/sh', '-c', 'echo "no peers\u001b[31m" >&2; exit 3'],
      ['/bin/sh', '-c', 'kill -SEGV $$'],
      ['/nonexistent/probe'],
    ];
    await using room = startRoom(roundsOf(commands.map((command) => ({ type: 'exec', command }))));
    expect(await room.failures()).toEqual([
      'exec /bin/sh -c echo "no peers [31m" >&2; exit 3: ended with status 3: no peers [31m',
      'exec /bin/sh -c kill -SEGV $$: ended by SIGSEGV',
      expect.stringMatching(/^exec \/nonexistent\/probe: .*not found/),
    ]);
  });

  it('ends a program that hangs, and keeps a flood of output short [F094]', async () => {
    const commands = [
      ['/bin/sleep', '60'],
      ['/bin/sh', '-c', 'yes error | head -c 3000000 >&2; exit 1'],
    ];
    await using room = startRoom(
      roundsOf(
        commands.map((command) => ({ type: 'exec', command })),
        { timeout: 1500 },
      ),
    );
    const [hung, flooded] = await room.failures();
    expect(hung).toBe('exec /bin/sleep 60: did not end within 1500 ms');
    expect(flooded).toMatch(/ended with status 1: error error/);
    expect(flooded?.length).toBe(300);
  });
});

describe('the room', () => {
  it('asks all probes of a round at once', async () => {
    let waiting: (() => void)[] = [];
    await using server = await httpServer((_, response) => {
      waiting.push(() => response.end());
      // Answers nobody until both have asked.
      if (waiting.length === 2) for (const answer of waiting.splice(0)) answer();
    });
    waiting = [];
    await using room = startRoom(roundsOf([1, 2].map((n) => ({ ...OK, url: `${server.url}${n}` }))));
    expect(await room.failures()).toEqual([]);
  });

  it('ends when it is stopped in the middle of a probe, without a line for that round', async () => {
    const asked = Promise.withResolvers<undefined>();
    let connections = 0;
    await using server = await tcpServer(() => {
      connections += 1;
      if (connections === 2) asked.resolve(undefined);
    });
    // The program goes on until its connection ends: the room does not wait for it.
    const command = ['/bin/bash', '-c', `cat < /dev/tcp/127.0.0.1/${server.port}`];
    const room = startRoom(
      roundsOf(
        [
          { ...OK, url: server.url },
          { type: 'exec', command },
        ],
        { timeout: 60_000 },
      ),
    );
    await asked.promise;
    await room[Symbol.asyncDispose]();
    expect(await room.next()).toBeUndefined();
  });

  it('ends quietly when nobody reads its answers any more', async () => {
    await using room = startRoom(roundsOf([]));
    await room.next();
    room.out.destroy();
    await expect(room.ended).resolves.toBeUndefined();
  });

  it('fails loudly when its answers cannot be written', async () => {
    const full = new Writable({
      write: (_chunk, _encoding, done) => {
        done(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
      },
    });
    const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const deps = { run, clock: hostClock(), log: { ...log, milestone: () => Promise.resolve() } };
    await expect(runProbeRoom(roundsOf([]), full, new AbortController().signal, deps)).rejects.toMatchObject({
      code: 'HOST_PROBE_ROOM',
    });
  });
});
