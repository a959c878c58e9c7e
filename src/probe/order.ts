import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { UpdaterError } from '../errors.ts';
import type { ProbeOrder } from '../orders.ts';

const milliseconds = z
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const text = z.string().min(1).max(4096);

const probe = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('http'),
    url: z.url({ protocol: /^http$/ }).max(4096),
    status: z.number().int().min(100).max(599),
    contains: text.exactOptional(),
  }),
  z.object({ type: z.literal('tcp'), host: text, port: z.number().int().min(1).max(65_535) }),
  z.object({ type: z.literal('unix'), path: text.startsWith('/') }),
  z.object({ type: z.literal('exec'), command: z.tuple([text.startsWith('/')], z.string()) }),
]);

const common = { schema: z.literal(1), id: z.string().min(1).max(64) };

const schema: z.ZodType<ProbeOrder> = z.discriminatedUnion('kind', [
  z.object({
    ...common,
    kind: z.literal('version'),
    program: text.startsWith('/'),
    version: z.object({ args: z.array(z.string()).max(64), pattern: text.max(512) }),
    timeout: milliseconds,
  }),
  z.object({
    ...common,
    kind: z.literal('rounds'),
    probes: z.array(probe).max(64),
    interval: milliseconds,
    timeout: milliseconds,
  }),
]);

/** The text of probe.json. Throws HOST_PROBE_ROOM: the transaction and this room are then of different versions. */
export function parseProbeOrder(json: string): ProbeOrder {
  try {
    return schema.parse(JSON.parse(json));
  } catch (cause) {
    throw orderError('the order of the probe room cannot be understood', cause);
  }
}

export async function readProbeOrder(path: string): Promise<ProbeOrder> {
  return parseProbeOrder(await read(path));
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw orderError(`the order of the probe room cannot be read: ${path}`, cause);
  }
}

function orderError(message: string, cause: unknown): UpdaterError {
  return new UpdaterError('HOST_PROBE_ROOM', message, {
    remedy: 'The probe room is started by a transaction, which writes its order first. Try again: node-updater check',
    cause,
  });
}
