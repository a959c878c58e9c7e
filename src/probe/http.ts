import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { Probe } from '../settings.ts';

const LARGEST_BODY = 1024 * 1024;

/** Undefined when status and body are as wanted, else why not. Rejects when there is no answer, or `signal` is aborted. */
export async function askHttp(
  probe: Extract<Probe, { type: 'http' }>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const call = request(probe.url, {
    // No keep-alive: a new connection each time is what shows that the node still accepts one.
    agent: false,
    signal,
    headers: { 'user-agent': 'node-updater', accept: '*/*', 'accept-encoding': 'identity' },
  });
  try {
    call.end();
    const [response] = (await once(call, 'response', { signal })) as [IncomingMessage];
    const status = response.statusCode ?? 0;
    if (status !== probe.status) return `status ${status}, not ${probe.status}${redirectNote(status)}`;
    if (probe.contains === undefined) return undefined;
    return (await bodyContains(response, probe.contains))
      ? undefined
      : `the answer does not contain ${JSON.stringify(probe.contains)}`;
  } finally {
    // The answer may go on; its end, or its failure, is of no interest any more.
    call.on('error', () => undefined);
    call.destroy();
  }
}

function redirectNote(status: number): string {
  return status >= 300 && status < 400 ? ' (a redirect is not followed)' : '';
}

/** Looks at the first MiB, and keeps of it only what a match could begin in. */
export async function bodyContains(body: AsyncIterable<Buffer>, wanted: string): Promise<boolean> {
  const needle = Buffer.from(wanted);
  let tail = Buffer.alloc(0);
  let read = 0;
  for await (const chunk of body) {
    const here = Buffer.concat([tail, chunk.subarray(0, LARGEST_BODY - read)]);
    if (here.includes(needle)) return true;
    read += chunk.length;
    if (read >= LARGEST_BODY) return false;
    tail = here.subarray(Math.max(0, here.length - needle.length + 1));
  }
  return false;
}
