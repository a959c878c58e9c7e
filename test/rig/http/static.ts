/**
 * A well-behaved static file server: strong ETags, If-None-Match, Range with If-Range, HEAD. One file, node:* alone, so
 * that a container runs it with the private Node: `node static.ts DIRECTORY [PORT] [ADDRESS]`.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Serves the regular files of `directory`. */
export function staticFiles(directory: string): Handler {
  return async (request, response) => {
    const path = join(directory, normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname)));
    const facts = await factsOf(path);
    if (facts === undefined) {
      response.writeHead(404, { 'content-length': 0 }).end();
      return;
    }
    await answer(request, response, path, facts);
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, path: string, facts: Facts): Promise<void> {
  const { size, etag } = facts;
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end();
    return;
  }
  const range = rangeOf(request, facts);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${String(size)}`, 'content-length': 0 }).end();
    return;
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    etag,
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    'content-length': last - first + 1,
    ...(range !== undefined && { 'content-range': `bytes ${String(first)}-${String(last)}/${String(size)}` }),
  });
  if (request.method === 'HEAD' || size === 0) response.end();
  else await pipeline(createReadStream(path, { start: first, end: last, highWaterMark: 1024 * 1024 }), response);
}

interface Facts {
  readonly size: number;
  readonly etag: string;
}

async function factsOf(path: string): Promise<Facts | undefined> {
  try {
    await using handle = await open(path);
    const { size, mtimeMs, ino } = await handle.stat();
    if (!(await handle.stat()).isFile()) return undefined;
    const etag = createHash('sha256')
      .update(`${String(ino)} ${String(size)} ${String(mtimeMs)}`)
      .digest('hex');
    return { size, etag: `"${etag.slice(0, 32)}"` };
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

/** `bytes=N-` and `bytes=N-M`; an If-Range that does not hold turns the request into one for the whole file. */
function rangeOf(
  request: IncomingMessage,
  { size, etag }: Facts,
): { first: number; last: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (match === null) return undefined;
  const condition = request.headers['if-range'];
  if (condition !== undefined && condition !== etag) return undefined;
  const first = Number(match[1]);
  const last = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return first > last ? 'unsatisfiable' : { first, last };
}

if (import.meta.main) {
  const [directory = '.', port = '8080', address = '127.0.0.1'] = process.argv.slice(2);
  const handle = staticFiles(directory);
  const server = createServer((request, response) => {
    Promise.resolve(handle(request, response)).catch(() => response.destroy());
  });
  server.listen(Number(port), address, () => {
    const bound = server.address();
    console.log(
      typeof bound === 'object' && bound !== null ? `listening on ${bound.address}:${String(bound.port)}` : '',
    );
  });
  process.once('SIGTERM', () => {
    server.close().closeAllConnections();
  });
}
