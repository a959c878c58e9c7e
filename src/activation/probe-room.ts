import { randomUUID } from 'node:crypto';
import { UpdaterError } from '../errors.ts';
import type { ProbeLine, ProbeOrder } from '../orders.ts';
import type { VersionProbe } from '../settings.ts';
import type { ActivationContext } from './context.ts';
import { followReport } from './probe-report.ts';

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
  const [line] = await followReport(context.layout.probeReport, id)();
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
  const report = followReport(layout.probeReport, id);
  const rounds: (readonly string[])[] = [];
  return {
    async read() {
      await mustGoOn(room(context), context);
      for (const line of await report()) {
        if (line.kind === 'round' && (line.failures.length === 0 || BigInt(line.at) >= countedFrom))
          rounds.push(line.failures);
      }
      return rounds;
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
