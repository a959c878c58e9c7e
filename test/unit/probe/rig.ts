/** A probe room on real servers, and the answers that it writes. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { hostClock } from '../../../src/host/clock.ts';
import type { Log } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import type { ProbeLine, ProbeOrder } from '../../../src/orders.ts';
import { runProbeRoom, type ProbeDeps } from '../../../src/probe/room.ts';
import type { Probe } from '../../../src/settings.ts';

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

export function httpServer(listener: RequestListener): Promise<TestServer> {
  return listening(createServer(listener));
}

export function tcpServer(accept: (socket: Socket) => void = () => undefined): Promise<TestServer> {
  return listening(createTcpServer(accept));
}

async function listening(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface TestRoom extends AsyncDisposable {
  /** The next line; undefined when the room has ended. */
  next(): Promise<ProbeLine | undefined>;
  /** The failures of the next round. */
  failures(): Promise<readonly string[]>;
  readonly out: PassThrough;
  readonly logged: readonly string[];
  readonly ended: Promise<void>;
}

export function roundsOf(probes: readonly Probe[], changes: { timeout?: number } = {}): ProbeOrder {
  return { schema: 1, id: 'order', kind: 'rounds', probes, interval: 5, timeout: 5000, ...changes };
}

export function startRoom(order: ProbeOrder, deps: Partial<ProbeDeps> = {}): TestRoom {
  const logged: string[] = [];
  const log: Log = {
    debug: (message) => logged.push(message),
    info: (message) => logged.push(message),
    warn: (message) => logged.push(message),
    error: (message) => logged.push(message),
    milestone: () => Promise.resolve(),
  };
  const stop = new AbortController();
  const out = new PassThrough();
  const ended = runProbeRoom(order, out, stop.signal, { run, clock: hostClock(), log, ...deps }).finally(() =>
    out.end(),
  );
  const lines = linesOf(out);
  const next = async () => (await lines.next()).value;
  return {
    next,
    async failures() {
      const line = await next();
      if (line?.kind !== 'round') throw new Error(`no round: ${JSON.stringify(line)}`);
      return line.failures;
    },
    out,
    logged,
    ended,
    async [Symbol.asyncDispose]() {
      stop.abort();
      out.resume();
      await ended;
    },
  };
}

async function* linesOf(stream: PassThrough): AsyncGenerator<ProbeLine, undefined> {
  let rest = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    rest += String(chunk);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as ProbeLine;
  }
  return undefined;
}
