/** Handlers that do one thing wrong each. Compose them with `inTurn` and `afterwards`. */
import { gzipSync } from 'node:zlib';
import { setTimeout as pause } from 'node:timers/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Handler } from './static.ts';

/** One handler a request; the last one stays. */
export function inTurn(...handlers: readonly [Handler, ...Handler[]]): Handler {
  let turn = 0;
  return (request, response) => {
    const handler = handlers[Math.min(turn++, handlers.length - 1)];
    return handler?.(request, response);
  };
}

/** Honest about `body` and its ETag, but ends the connection after `bytes` of it: politely (FIN) or with a reset. */
export function cutAfter(body: Buffer, etag: string, bytes: number, how: 'end' | 'reset'): Handler {
  return (request, response) => {
    const { first, head } = rangeHead(request, body, etag);
    response.writeHead(first === 0 ? 200 : 206, head);
    response.flushHeaders();
    const part = body.subarray(first, bytes);
    if (part.length === 0) cut(response, how);
    else
      response.write(part, () => {
        cut(response, how);
      });
  };
}

/** Serves `body` with ranges, as an honest server does, under the ETag given. */
export function serve(body: Buffer, etag: string, headers: Record<string, string> = {}): Handler {
  return (request, response) => {
    const { first, head } = rangeHead(request, body, etag);
    response.writeHead(first === 0 ? 200 : 206, { ...head, ...headers }).end(body.subarray(first));
  };
}

/** Honest headers, a few bytes at a time. */
export function drip(total: number, bytes: number, every: number): Handler {
  return async (_request, response) => {
    response.writeHead(200, { 'content-length': total });
    for (let sent = 0; sent < total && !response.destroyed; sent += bytes) {
      response.write(Buffer.alloc(Math.min(bytes, total - sent), 'd'));
      await pause(every);
    }
    response.end();
  };
}

/** A chunked body that never ends. */
export function endless(): Handler {
  const chunk = Buffer.alloc(64 * 1024, 'e');
  return (_request, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  };
}

/** Takes the request and says nothing. */
export function silent(): Handler {
  return () => undefined;
}

/** Says `bytes` of a longer body, then nothing. */
export function stall(total: number, bytes: number): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'content-length': total, etag: '"stall"' }).write(Buffer.alloc(bytes, 's'));
  };
}

export function status(code: number, headers: Record<string, string> = {}): Handler {
  return (_request, response) => {
    response.writeHead(code, { 'content-length': 0, ...headers }).end();
  };
}

export function redirectTo(location: string | ((request: IncomingMessage) => string), code = 302): Handler {
  return (request, response) => {
    const to = typeof location === 'string' ? location : location(request);
    response.writeHead(code, { location: to, 'content-length': 0 }).end();
  };
}

/** Answers every range with bytes from another place than asked. */
export function wrongContentRange(body: Buffer, etag: string): Handler {
  return (request, response) => {
    const { first } = rangeHead(request, body, etag);
    if (first === 0) {
      serve(body, etag)(request, response) as undefined;
      return;
    }
    const wrong = first - 1;
    const range = `bytes ${String(wrong)}-${String(body.length - 1)}/${String(body.length)}`;
    response.writeHead(206, { etag, 'content-range': range }).end(body.subarray(wrong));
  };
}

/** Knows no ranges: 200 and the whole body, whatever was asked. */
export function ignoreRange(body: Buffer, etag: string): Handler {
  return (_request, response) => {
    response.writeHead(200, { etag, 'content-length': body.length }).end(body);
  };
}

export function gzipUnasked(body: Buffer): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body));
  };
}

/** About `bytes` of header, in fields of 100 bytes. */
export function hugeHeaders(bytes: number): Handler {
  return (_request, response) => {
    for (let i = 0; i * 100 < bytes; i++) response.setHeader(`x-${String(i)}`, 'h'.repeat(90));
    response.end('body');
  };
}

function rangeHead(
  request: IncomingMessage,
  body: Buffer,
  etag: string,
): { first: number; head: Record<string, string> } {
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const first = asked !== null && request.headers['if-range'] === etag ? Number(asked[1]) : 0;
  const head: Record<string, string> = { etag, 'content-length': String(body.length - first) };
  if (first > 0) head['content-range'] = `bytes ${String(first)}-${String(body.length - 1)}/${String(body.length)}`;
  return { first, head };
}

function cut(response: ServerResponse, how: 'end' | 'reset'): void {
  if (how === 'reset') response.socket?.resetAndDestroy();
  else response.socket?.end();
}
