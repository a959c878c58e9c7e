/** `node-updater versions`: what is staged here, and what could be gone back to. */
import { listStaged } from '../activation/stage.ts';
import { EXIT } from '../errors.ts';
import { committedBefore } from '../machine/plan.ts';
import { quarantined } from '../machine/recover.ts';
import type { QuarantineReason } from '../policy/decide.ts';
import type { Version } from '../release.ts';
import { compareVersions } from '../version.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode, readFacts, type NodeFacts } from './facts.ts';
import type { Host } from './host.ts';
import type { Line } from './output.ts';
import { describeError, type Format } from './report-error.ts';
import { table } from './table.ts';

export interface VersionsReport {
  readonly schema: 1;
  readonly node: string;
  /** Newest first. */
  readonly versions: readonly VersionReport[];
}

export interface VersionReport {
  readonly version: Version;
  readonly staged: boolean;
  readonly current: boolean;
  readonly fallback: boolean;
  /** What a rollback without --to goes to. */
  readonly before: boolean;
  readonly withdrawn: boolean;
  readonly quarantine?: QuarantineReason;
}

export async function versions(command: CommandOf<'versions'>, format: Format, host: Host): Promise<Ended> {
  const node = oneNode(command.node, host);
  const facts = await readFacts(node, host);
  for (const problem of facts.problems) host.output.complain(describeError(problem));
  const report = reportVersions(facts, await listStaged(host.layout.node(node)));
  if (format === 'json') host.output.json(report);
  else host.output.print(versionsLines(report));
  return EXIT.done;
}

export function reportVersions(facts: NodeFacts, staged: readonly Version[]): VersionsReport {
  const { links, ledger, check, node } = facts;
  const bad = quarantined(ledger.records);
  const { current, fallback } = links;
  const before = current === undefined ? undefined : committedBefore(current, ledger);
  const linked = [current, fallback].filter((version) => version !== undefined);
  const all = [...new Set([...staged, ...linked, ...bad.keys()])].sort((a, b) => compareVersions(b, a));
  return {
    schema: 1,
    node,
    versions: all.map((version) => {
      const entry = bad.get(version);
      return {
        version,
        staged: staged.includes(version),
        current: version === current,
        fallback: version === fallback,
        before: version === before,
        withdrawn: check?.withdrawn?.includes(version) === true,
        ...(entry === undefined ? {} : { quarantine: { cause: entry.cause, message: entry.message } }),
      };
    }),
  };
}

export function versionsLines({ node, versions: all }: VersionsReport): Line[] {
  if (all.length === 0) return [`No version of ${node} is staged.`, '', `Next: sudo node-updater upgrade ${node}`];
  const rows = all.map((one) => [one.version, notes(one).join(', ')]);
  const back = all.some(({ before, staged, withdrawn }) => before && staged && !withdrawn);
  return [
    ...table([['VERSION', 'NOTES'], ...rows]),
    ...(back ? ['', `To go back: sudo node-updater rollback ${node}`] : []),
  ];
}

/** Only a failed health gate is the version's own failure. */
function quarantineNote({ cause, message }: QuarantineReason): string {
  return `in quarantine${cause === 'gate' ? ', it failed here' : ''}: ${message}`;
}

function notes(one: VersionReport): string[] {
  return [
    ...(one.current ? ['current'] : []),
    ...(one.fallback ? ['fallback'] : []),
    ...(one.before ? ['committed before'] : []),
    ...(one.staged ? [] : ['not staged']),
    ...(one.withdrawn ? ['withdrawn by its publisher'] : []),
    ...(one.quarantine === undefined ? [] : [quarantineNote(one.quarantine)]),
  ];
}
