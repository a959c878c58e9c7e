/**
 * The probe room: asks a node's binary for its version, and its probes how it is. It runs the node's own programs and
 * reads what they answer, so everything it reads is hostile: output, bodies and matching are bounded in size and in time,
 * and whatever a probe does is an answer ("failed, because …"), never the end of the room.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { Clock, Log, Run } from '../host/ports.ts';
import type { ProbeLine, ProbeOrder } from '../orders.ts';
import { ask } from './ask.ts';
import { askVersion } from './version.ts';

export interface ProbeDeps {
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Carries out an order, one JSON line for each answer on `out`. Resolves when a version was asked for and answered, when
 * `signal` is aborted, or when the reader of `out` is gone; rejects with HOST_PROBE_ROOM when `out` cannot be written.
 */
export async function runProbeRoom(
  order: ProbeOrder,
  out: Writable,
  signal: AbortSignal,
  deps: ProbeDeps,
): Promise<void> {
  const ended = new AbortController();
  const end = (): void => {
    ended.abort();
  };
  out.once('close', end);
  // The failed write tells the same to its own callback; without a listener the process would die of it.
  out.once('error', end);
  try {
    if (order.kind === 'version') await write(out, await askVersion(order, deps));
    else await runRounds(order, out, AbortSignal.any([signal, ended.signal]), deps);
  } catch (error) {
    if (!isReaderGone(error)) throw error;
    deps.log.info('Nobody reads the answers of the probe room any more; it ends.');
  } finally {
    out.off('close', end);
    out.off('error', end);
  }
}

type RoundsOrder = Extract<ProbeOrder, { kind: 'rounds' }>;

/** Round after round, with a pause of `interval` between; a round that `stop` cuts short has no line. */
async function runRounds(order: RoundsOrder, out: Writable, stop: AbortSignal, deps: ProbeDeps): Promise<void> {
  const { id, probes, interval, timeout } = order;
  const stopped = aborted(stop);
  let before = '';
  for (let round = 1; !isOver(stop); round++) {
    const at = String(deps.clock.monotonic());
    const answers = Promise.all(probes.map((probe) => ask(probe, timeout, stop, deps.run)));
    const result = await Promise.race([answers, stopped]);
    // What the probes answer to being stopped is no answer.
    if (result === undefined || isOver(stop)) return;
    const failures = result.filter((failure) => failure !== undefined);
    await write(out, { id, kind: 'round', round, at, failures });
    before = logChange(before, failures, deps.log);
    await pause(interval, stop, deps.clock);
  }
}

function isOver(stop: AbortSignal): boolean {
  return stop.aborted;
}

/** One message when the answers change, not one for each round. */
function logChange(before: string, failures: readonly string[], log: Log): string {
  const now = failures.join('; ');
  if (now === before) return now;
  if (now === '') log.info('All probes hold.');
  else log.warn(`Probes fail: ${now}`);
  return now;
}

async function pause(ms: number, stop: AbortSignal, clock: Clock): Promise<void> {
  try {
    await clock.wait(ms, stop);
  } catch (error) {
    // Being told to stop is how rounds end.
    if (!stop.aborted) throw error;
  }
}

async function aborted(stop: AbortSignal): Promise<undefined> {
  if (!stop.aborted) await once(stop, 'abort');
  return undefined;
}

function write(out: Writable, line: ProbeLine): Promise<void> {
  return new Promise((resolve, reject) => {
    out.write(`${JSON.stringify(line)}\n`, (error) => {
      if (error instanceof Error) reject(isReaderGone(error) ? error : cannotWrite(error));
      else resolve();
    });
  });
}

function isReaderGone(error: unknown): boolean {
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes(errnoOf(error) ?? '');
}

function cannotWrite(cause: Error): UpdaterError {
  return new UpdaterError('HOST_PROBE_ROOM', `the answers of the probe room cannot be written: ${cause.message}`, {
    remedy: 'Look at the space on /run: df -h /run',
    cause,
  });
}
