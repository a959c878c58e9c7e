/**
 * The fetch order (`fetch.json`), checked strictly: whoever wrote it, this process acts only on the shape that it knows.
 * URLs are checked when they are used, so that one bad mirror in a manifest does not spoil the good ones beside it.
 */
import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod/mini';
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { FetchOrder } from '../orders.ts';

/** The name of the report in the cache directory; no file of an order may take it. */
export const REPORT_NAME = 'fetch-report.json';

/** Each address of an artifact, at each mirror. */
const MOST_URLS = LIMITS.urlsPerArtifact * LIMITS.mirrorsPerSource;
const MOST_ORDER_BYTES = 1024 * 1024;

// No leading dot, so never `.`, `..` or a temporary file; the partial files of a name get these suffixes appended.
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}$/;
const PARTIAL = /\.part(\.json)?$/;

// Node's timers count in 31 bits.
const duration = z.int().check(z.positive(), z.maximum(2 ** 31 - 1));
const fileName = z.string().check(
  z.regex(FILE_NAME),
  z.refine((name) => !PARTIAL.test(name) && name !== REPORT_NAME),
);

const file = z.strictObject({
  name: fileName,
  urls: z.array(z.string().check(z.maxLength(8192))).check(z.minLength(1), z.maxLength(MOST_URLS)),
  limit: z.int().check(z.nonnegative(), z.maximum(LIMITS.archive)),
  // A header value: what undici would refuse, and what would end the header line, is refused here.
  etag: z.optional(z.string().check(z.maxLength(1024), z.regex(/^[\x20-\x7e]+$/))),
  absence: z.optional(z.literal('expected')),
  signed: z.optional(
    z.strictObject({
      size: z.int().check(z.nonnegative(), z.maximum(LIMITS.archive)),
      sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    }),
  ),
});

const schema = z.strictObject({
  schema: z.literal(1),
  id: z.string().check(z.minLength(1), z.maxLength(200)),
  insecureHttp: z.boolean(),
  keep: z.optional(z.array(fileName).check(z.maxLength(256))),
  settings: z.strictObject({
    connectTimeout: duration,
    headersTimeout: duration,
    minimumSpeed: z.number().check(z.nonnegative()),
    slowWindow: duration,
    totalTimeout: duration,
    maximumSpeed: z.optional(z.int().check(z.nonnegative())),
    proxy: z.optional(z.string().check(z.maxLength(8192))),
    noProxy: z.optional(z.array(z.string().check(z.maxLength(512))).check(z.maxLength(1024))),
    caFile: z.optional(z.string().check(z.maxLength(4096), z.startsWith('/'))),
  }),
  files: z.array(file).check(
    z.maxLength(LIMITS.filesPerOrder),
    z.refine((files) => new Set(files.map(({ name }) => name)).size === files.length, 'two files of one name'),
  ),
});

/** @throws UpdaterError HOST_STATE when the text is not a fetch order of schema 1. */
export function parseFetchOrder(text: string): FetchOrder {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  const order = schema.safeParse(value);
  if (order.success) return order.data as FetchOrder;
  throw invalid(z.prettifyError(order.error), order.error);
}

function invalid(detail: string, cause: unknown): UpdaterError {
  return new UpdaterError('HOST_STATE', `The fetch order is not valid: ${detail}.`, {
    cause,
    remedy:
      'The order is written anew by every run. If this is seen twice, please report it as a fault in node-updater.',
  });
}

/** Reads and checks the order at `path`. @throws UpdaterError HOST_STATE */
export async function readFetchOrder(path: string): Promise<FetchOrder> {
  return parseFetchOrder(await readOrderText(path));
}

async function readOrderText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MOST_ORDER_BYTES) throw new Error(`${path} has ${String(size)} bytes`);
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new UpdaterError('HOST_STATE', `The fetch order ${path} cannot be read.`, {
      cause,
      remedy:
        'The fetch unit is started by a node-updater transaction, which writes the order; do not start it by hand.',
    });
  }
}
