/** `node-updater drill`: proves on this host that a bad version is put back, and says how long that takes. */
import { EXIT } from '../errors.ts';
import { drillVersion } from '../machine/drill.ts';
import { readLedger } from '../machine/ledger.ts';
import type { LedgerRecord } from '../machine/record.ts';
import type { NodeName, Version } from '../release.ts';
import { act, tell } from './act.ts';
import { actOn } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode, readFacts } from './facts.ts';
import type { Host } from './host.ts';
import type { OutcomeReport } from './outcome.ts';
import type { Line } from './output.ts';
import type { Format } from './report-error.ts';

export interface DrillPlan {
  readonly schema: 1;
  readonly dryRun: true;
  readonly node: NodeName;
  readonly current: Version | undefined;
  readonly copy: Version | undefined;
}

/** Milliseconds of the monotonic clock, each from the one before; absent where the host was restarted in between. */
export interface DrillTimes {
  /** From the order to restart into the failing copy until it was found out. */
  readonly found?: number;
  /** Until the version before was current again and its start was ordered. */
  readonly putBack?: number;
  /** Until it had proven to be healthy. */
  readonly proven?: number;
}

export async function drill(command: CommandOf<'drill'>, format: Format, host: Host): Promise<Ended> {
  if (command.mode === 'dry-run' || command.consent === 'asked') return announce(command, format, host);
  const target = actOn(command.node, 'drill', host);
  const report = await act({ kind: { kind: 'drill' }, then: command.mode }, target, format, host);
  const times = drillTimes((await readLedger(target.layout.ledger)).records, report.request);
  if (format === 'json') host.output.json({ ...report, times });
  else {
    tell(report, format, host);
    if (report.result === 'ended') host.output.print(timesLines(times, report));
  }
  return report.exit;
}

/** What would be done. Nothing is restarted before its operator has agreed. */
async function announce(command: CommandOf<'drill'>, format: Format, host: Host): Promise<Ended> {
  const node = oneNode(command.node, host);
  const { links } = await readFacts(node, host);
  const { current } = links;
  const copy = current === undefined ? undefined : drillVersion(current);
  const plan: DrillPlan = { schema: 1, dryRun: true, node, current, copy };
  if (format === 'json') host.output.json(plan);
  else host.output.print(planLines(plan));
  return command.mode === 'dry-run' ? EXIT.done : EXIT.usage;
}

function planLines({ node, current, copy }: DrillPlan): Line[] {
  if (current === undefined || copy === undefined) return [`${node} has no version yet, so there is nothing to drill.`];
  return [
    `The drill copies ${current} to ${copy}, makes the copy fail, and updates ${node} to it.`,
    `systemd must put ${current} back. ${node} is down twice for a moment, and every part is the real one.`,
    'It is refused when the node is stopped or already unhealthy. Nothing was changed yet.',
    '',
    `To begin: sudo node-updater drill ${node} --yes`,
  ];
}

/** From the records of the drill that was asked for by `request`. Pure. */
function drillTimes(records: readonly LedgerRecord[], request: string): DrillTimes {
  const opened = records.findIndex(({ entry }) => entry.kind === 'opened' && entry.transaction.request === request);
  const own = opened === -1 ? [] : records.slice(opened);
  const start = own.find(({ entry }) => entry.kind === 'intent' && entry.state === 'start');
  const found = own.find(({ entry }) => entry.kind === 'result' && entry.then === 'yield');
  const back = own.find(({ entry }) => entry.kind === 'result' && entry.event === 'put-back');
  const ended = own.find(({ entry }) => entry.kind === 'ended');
  return {
    ...between('found', start, found),
    ...between('putBack', found, back),
    ...between('proven', back, ended),
  };
}

function between<Key extends string>(
  key: Key,
  from: LedgerRecord | undefined,
  to: LedgerRecord | undefined,
): Partial<Record<Key, number>> {
  if (from === undefined || to === undefined || from.boot !== to.boot) return {};
  return { [key]: Number((BigInt(to.mono) - BigInt(from.mono)) / 1000n) } as Record<Key, number>;
}

function timesLines({ found, putBack, proven }: DrillTimes, { from = 'the version before' }: OutcomeReport): Line[] {
  const line = (what: string, value: number | undefined): Line[] =>
    value === undefined ? [] : [`  ${what} ${(value / 1000).toFixed(2)} s`];
  return [
    ...line('found out after           ', found),
    ...line(`${from} put back after another`, putBack),
    ...line('and proven healthy after  ', proven),
  ];
}
