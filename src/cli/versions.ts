/** `node-updater versions`: what is staged here, and what could be gone back to; `--verify`: whether it is what was staged. */
import { listStaged } from '../activation/stage.ts';
import { verifyVersion, type Verdict } from '../activation/verify-version.ts';
import { EXIT } from '../errors.ts';
import type { NodeLayout } from '../layout.ts';
import { committedBefore } from '../machine/plan.ts';
import { quarantined } from '../machine/recover.ts';
import type { QuarantineReason } from '../policy/decide.ts';
import type { Version } from '../release.ts';
import { compareVersions } from '../version.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode, readFacts, type NodeFacts } from './facts.ts';
import type { Host } from './host.ts';
import { describeError, type Format } from './report-error.ts';
import { versionsLines } from './versions-text.ts';

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
  /** With `--verify`, of what is staged. */
  readonly files?: Verdict;
}

type Verdicts = ReadonlyMap<Version, Verdict>;

export async function versions(command: CommandOf<'versions'>, format: Format, host: Host): Promise<Ended> {
  const node = oneNode(command.node, host);
  const facts = await readFacts(node, host);
  for (const problem of facts.problems) host.output.complain(describeError(problem));
  const layout = host.layout.node(node);
  const staged = await listStaged(layout);
  const verdicts = command.view === 'verify' ? await verifyAll(staged, layout, host) : new Map<Version, Verdict>();
  const report = reportVersions(facts, staged, verdicts);
  if (format === 'json') host.output.json(report);
  else host.output.print(versionsLines(report));
  const damaged = [...verdicts.values()].some(({ state }) => state === 'damaged');
  return damaged ? EXIT.refused : EXIT.done;
}

/** One after the other: they share a disk. */
async function verifyAll(staged: readonly Version[], layout: NodeLayout, { output }: Host): Promise<Verdicts> {
  const verdicts = new Map<Version, Verdict>();
  for (const version of staged) {
    output.progress([`Reading ${version}`]);
    verdicts.set(version, await verifyVersion(version, layout, () => undefined));
  }
  return verdicts;
}

export function reportVersions(
  facts: NodeFacts,
  staged: readonly Version[],
  verdicts: Verdicts = new Map(),
): VersionsReport {
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
      const files = verdicts.get(version);
      return {
        version,
        staged: staged.includes(version),
        current: version === current,
        fallback: version === fallback,
        before: version === before,
        withdrawn: check?.withdrawn?.includes(version) === true,
        ...(entry === undefined ? {} : { quarantine: { cause: entry.cause, message: entry.message } }),
        ...(files === undefined ? {} : { files }),
      };
    }),
  };
}
