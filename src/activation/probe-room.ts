import { randomUUID } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { ProbeLine, ProbeOrder } from '../orders.ts';
import type { VersionProbe } from '../settings.ts';
import type { ActivationContext } from './context.ts';

/** A report longer than this is not read on: the room's program is not believed to be sane. */
const MAX_REPORT_BYTES = 16 * 1024 * 1024;

const ROOM_MARGIN = 15_000;

/** What a binary answered when it was asked for its version. */
export type Answered =
  | { readonly kind: 'version'; readonly version: string }
  | Pick<Extract<ProbeLine, { kind: 'version-failed' }>, 'kind' | 'reason' | 'message'>;

/** Asks the binary of a staged version for its version, in the probe room. Throws HOST_PROBE_ROOM when the room fails. */
export async function askVersion(program: string, probe: VersionProbe, context: ActivationContext): Promise<Answered> {
  const { bus, heartbeat, settings } = context;
  const timeout = Math.max(settings.gate.timeout, 10_000);
  const id = await order({ schema: 1, id: randomUUID(), kind: 'version', program, version: probe, timeout }, context);
  const job = await heartbeat.during(bus.start(room(context), timeout + ROOM_MARGIN));
  const line = parseLines(await readFileOrEmpty(context.layout.probeReport), id)[0];
  if (line?.kind === 'version' || line?.kind === 'version-failed') return line;
  throw new UpdaterError(
    'HOST_PROBE_ROOM',
    `${program} could not be asked for its version: the job of ${room(context)} ended "${job}"`,
    {
      remedy: `See why: journalctl -u ${room(context)} -n 20. No version is blamed for it, and the next run tries again.`,
    },
  );
}

export interface Rounds extends AsyncDisposable {
  /**
   * The failures of each finished round so far, oldest first; an empty list is a round in which all held. Throws
   * HOST_PROBE_ROOM when the room has ended: what it said last proves nothing from then on, and its silence blames nobody.
   */
  read(): Promise<readonly (readonly string[])[]>;
}

/** Starts rounds of probes that go on until disposed. Rounds that began within `grace` of `from` (µs) do not count. */
export async function startRounds(from: bigint, context: ActivationContext): Promise<Rounds> {
  const { bus, settings, layout } = context;
  const { probes, interval, timeout, grace } = settings.gate;
  await bus.stop(room(context), ROOM_MARGIN);
  const id = await order({ schema: 1, id: randomUUID(), kind: 'rounds', probes, interval, timeout }, context);
  await bus.startNoWait(room(context));
  const countedFrom = from + BigInt(grace) * 1000n;
  return {
    async read() {
      await mustGoOn(room(context), context);
      const lines = parseLines(await readFileOrEmpty(layout.probeReport), id);
      return lines.flatMap((line) =>
        line.kind === 'round' && (line.failures.length === 0 || BigInt(line.at) >= countedFrom) ? [line.failures] : [],
      );
    },
    async [Symbol.asyncDispose]() {
      await bus.stop(room(context), ROOM_MARGIN);
    },
  };
}

async function mustGoOn(unit: string, { bus }: ActivationContext): Promise<void> {
  const { activeState, job, service } = await bus.facts(unit);
  if (job !== 0 || (activeState !== 'inactive' && activeState !== 'failed')) return;
  throw new UpdaterError('HOST_PROBE_ROOM', `${unit} ended while it probed (result ${service?.result ?? 'unknown'})`, {
    remedy: `See why: journalctl -u ${unit} -n 20. No version is blamed for it, and the next run tries again.`,
  });
}

function room(context: ActivationContext): string {
  return `node-updater-probe@${context.settings.node}.service`;
}

async function order(probeOrder: ProbeOrder, context: ActivationContext): Promise<string> {
  const { files, layout } = context;
  await files.remove(layout.probeReport);
  await files.replace(layout.probeOrder, JSON.stringify(probeOrder), 0o644);
  return probeOrder.id;
}

async function readFileOrEmpty(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > MAX_REPORT_BYTES) {
      throw new UpdaterError('HOST_PROBE_ROOM', `${path} is larger than ${MAX_REPORT_BYTES} bytes`, {
        remedy: 'Look for an exec probe that never ends.',
      });
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** The whole lines of one order; a line that is still being written is left for the next look. */
function parseLines(text: string, id: string): ProbeLine[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine)
    .filter((line) => line.id === id);
}

function parseLine(line: string): ProbeLine {
  try {
    const value = JSON.parse(line) as Partial<ProbeLine> | null;
    if (typeof value?.id === 'string' && typeof value.kind === 'string') return value as ProbeLine;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UpdaterError('HOST_PROBE_ROOM', `The probe room wrote a line that is no report: ${line.slice(0, 200)}`, {
    remedy: 'Look for a program that writes into the report of the probe room in its place.',
  });
}
