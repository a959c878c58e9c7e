/** Servers on 127.0.0.1 that count what they are asked and what they send, and are gone at the end of the test. */
import { createServer as createHttp, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import { on, once } from 'node:events';
import type { SecureVersion } from 'node:tls';
import type { Handler } from './static.ts';

export interface Asked {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface TestServer extends AsyncDisposable {
  readonly origin: string;
  readonly port: number;
  /** Every request, in order. */
  readonly requests: readonly Asked[];
  /** Bytes of all bodies together that were given to the kernel. */
  bodyBytes(): number;
  /** Resolves when the next request is there. */
  nextRequest(): Promise<void>;
}

export interface TlsFiles {
  readonly key: Buffer;
  readonly cert: Buffer;
  /** What an old server speaks; Node's own choice when absent. */
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
  readonly ciphers?: string;
}

/** An HTTP or, with a certificate, HTTPS server. */
export async function startServer(handler: Handler, tls?: TlsFiles): Promise<TestServer> {
  const requests: Asked[] = [];
  let sent = 0;
  const serveOne = async (...[request, response]: Parameters<Handler>): Promise<void> => {
    requests.push({ url: request.url ?? '', headers: request.headers });
    countBody(response, (bytes) => (sent += bytes));
    // A client that goes away in mid-answer is what these tests are about.
    await Promise.resolve(handler(request, response)).catch(() => response.destroy());
  };
  const listener = (...args: Parameters<Handler>): void => {
    void serveOne(...args);
  };
  const server = tls === undefined ? createHttp(listener) : createHttps(tls, listener);
  server.on('clientError', (_error, socket) => socket.destroy());
  const port = await listen(server);
  return {
    origin: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${String(port)}`,
    port,
    requests,
    bodyBytes: () => sent,
    nextRequest: async () => {
      await once(server, 'request');
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await close(server);
    },
  };
}

/** A server below HTTP: `speak` gets each request's head as text, and says whatever it likes. */
export async function startRawServer(
  speak: (socket: Socket, head: string, count: number) => void | Promise<void>,
): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const requests: Asked[] = [];
  const server = createTcp((socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy()));
    socket.on('data', (bytes) => {
      const head = bytes.toString('latin1');
      requests.push({ url: head.split(' ')[1] ?? '', headers: {} });
      void speak(socket, head, requests.length);
    });
  });
  const port = await listen(server);
  return {
    origin: `http://127.0.0.1:${String(port)}`,
    port,
    requests,
    bodyBytes: () => 0,
    nextRequest: async () => {
      for await (const _ of on(server, 'connection')) return;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await close(server);
    },
  };
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createTcp();
  const port = await listen(server);
  await close(server);
  return port;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

function countBody(response: ServerResponse, add: (bytes: number) => void): void {
  const write = response.write.bind(response) as (...args: unknown[]) => boolean;
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
  const count = (chunk: unknown): void => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) add(Buffer.byteLength(chunk));
  };
  response.write = (...args: unknown[]) => {
    count(args[0]);
    return write(...args);
  };
  response.end = (...args: unknown[]) => {
    count(args[0]);
    return end(...args);
  };
}
