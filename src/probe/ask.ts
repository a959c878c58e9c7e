/** One probe, once: undefined when it held, else why not, in one short line. Never rejects. */
import { once } from 'node:events';
import { connect, type NetConnectOpts } from 'node:net';
import { errnoOf } from '../errors.ts';
import type { Run } from '../host/ports.ts';
import type { Probe } from '../settings.ts';
import { askHttp } from './http.ts';
import { describeOutcome, oneLine } from './words.ts';

/** @param timeout milliseconds for the whole probe, however slowly its answer drips. */
export async function ask(probe: Probe, timeout: number, stop: AbortSignal, run: Run): Promise<string | undefined> {
  const limit = new AbortController();
  const end = (): void => {
    limit.abort();
  };
  const timer = setTimeout(end, timeout);
  stop.addEventListener('abort', end);
  try {
    const failure = await answer(probe, timeout, limit.signal, run);
    return failure === undefined ? undefined : oneLine(`${nameOf(probe)}: ${failure}`);
  } catch (error) {
    const why = limit.signal.aborted ? `no answer within ${timeout} ms` : errorText(error);
    return oneLine(`${nameOf(probe)}: ${why}`);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', end);
  }
}

async function answer(probe: Probe, timeout: number, signal: AbortSignal, run: Run): Promise<string | undefined> {
  switch (probe.type) {
    case 'http':
      return await askHttp(probe, signal);
    case 'tcp':
      await connectTo({ host: probe.host, port: probe.port }, signal);
      return undefined;
    case 'unix':
      await connectTo({ path: probe.path }, signal);
      return undefined;
    case 'exec':
      return describeOutcome(await run(probe.command, { timeout, outputLimit: 4096 }), timeout);
  }
}

/** Resolves when somebody accepts. */
async function connectTo(options: NetConnectOpts, signal: AbortSignal): Promise<void> {
  const socket = connect(options);
  try {
    await once(socket, 'connect', { signal });
  } finally {
    // What a reset connection still has to say is of no interest; without a listener it would end the room.
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

function nameOf(probe: Probe): string {
  switch (probe.type) {
    case 'http':
      return probe.url;
    case 'tcp':
      return `tcp ${probe.host}:${probe.port}`;
    case 'unix':
      return `unix ${probe.path}`;
    case 'exec':
      return `exec ${probe.command.join(' ').slice(0, 80)}`;
  }
}

function errorText(error: unknown): string {
  const code = errnoOf(error);
  if (code === 'ECONNREFUSED') return 'connection refused';
  // A name with several addresses fails with several errors, and an empty message.
  if (error instanceof AggregateError) return error.errors.map(errorText).join(', ');
  return error instanceof Error ? error.message : String(error);
}
