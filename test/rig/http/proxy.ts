/** A real proxy on 127.0.0.1: passes requests for plain http on, and tunnels TLS (CONNECT). Every name leads where the test says. */
import { createServer as createHttp, request as ask } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import type { TlsFiles } from './server.ts';

export interface TestProxy extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  /** `CONNECT name:443` and `GET http://name/path`, in order. */
  readonly asked: readonly string[];
}

export interface ProxyTerms {
  /** The port of 127.0.0.1 that a request is passed on to. */
  readonly to: () => number;
  /** `USER:PASSWORD`; whoever comes without gets 407. */
  readonly credentials?: string;
  /** CONNECT is answered with this status, or not at all, instead of a tunnel. */
  readonly answer?: number | 'silence';
  /** Present: the proxy itself speaks TLS. */
  readonly tls?: TlsFiles;
}

export async function startProxy(terms: ProxyTerms): Promise<TestProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  };
  const server = terms.tls === undefined ? createHttp() : createHttps(terms.tls);
  server.on('connection', keep);
  server.on('request', (request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    if (!mayPass(terms, request.headers['proxy-authorization'])) {
      response.writeHead(407, { 'proxy-authenticate': 'Basic', 'content-length': 0 }).end();
      return;
    }
    const { pathname, search } = new URL(request.url ?? '');
    const onward = ask({ host: '127.0.0.1', port: terms.to(), path: pathname + search, headers: request.headers });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('error', () => response.destroy()).pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    onward.end();
  });
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url ?? ''}`);
    if (terms.answer === 'silence') return;
    const status = mayPass(terms, request.headers['proxy-authorization']) ? (terms.answer ?? 200) : 407;
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${String(status)} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const onward = keep(connect(terms.to(), '127.0.0.1', () => socket.write('HTTP/1.1 200 Connected\r\n\r\n')));
    socket.on('error', () => onward.destroy()).on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    url: `${terms.tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function mayPass({ credentials }: ProxyTerms, given: string | undefined): boolean {
  return credentials === undefined || given === `Basic ${Buffer.from(credentials).toString('base64')}`;
}
