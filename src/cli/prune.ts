/** `node-updater prune`: removes staged versions that are more than are kept and that nobody needs. */
import { loadSettings, requireNode } from '../config/load.ts';
import { EXIT } from '../errors.ts';
import { surplusVersions } from '../machine/prune.ts';
import { findOpen } from '../machine/recover.ts';
import type { NodeName, Version } from '../release.ts';
import { act, tell } from './act.ts';
import { actOn } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode, readFacts } from './facts.ts';
import type { Host } from './host.ts';
import type { Format } from './report-error.ts';

export interface DryPrune {
  readonly schema: 1;
  readonly dryRun: true;
  readonly node: NodeName;
  readonly keep: number;
  /** What would go, unless a program of it runs. */
  readonly remove: readonly Version[];
}

export async function prune(command: CommandOf<'prune'>, format: Format, host: Host): Promise<Ended> {
  if (command.mode === 'dry-run') return dryRun(command, format, host);
  const target = actOn(command.node, 'prune', host);
  const kind = { kind: 'prune', ...(command.keep === undefined ? {} : { keep: command.keep }) } as const;
  const report = await act({ kind, then: command.mode }, target, format, host);
  tell(report, format, host);
  return report.exit;
}

async function dryRun(command: CommandOf<'prune'>, format: Format, host: Host): Promise<Ended> {
  const node = oneNode(command.node, host);
  const facts = await readFacts(node, host);
  const [problem] = facts.problems;
  if (problem !== undefined) throw problem;
  const keep = command.keep ?? requireNode(loadSettings(host.layout, host.env, host.uid), node).keepVersions;
  const open = findOpen(facts.ledger.records)?.transaction;
  const layout = host.layout.node(node);
  const remove = await surplusVersions(keep, facts.ledger, { layout }, [open?.from, open?.to]);
  const plan: DryPrune = { schema: 1, dryRun: true, node, keep, remove };
  if (format === 'json') host.output.json(plan);
  else host.output.print([describe(plan), 'Nothing was changed.']);
  return EXIT.done;
}

function describe({ node, keep, remove }: DryPrune): string {
  if (remove.length === 0) return `${node} has no version that is one too many for the ${keep} that are kept.`;
  return `${node} would lose ${remove.join(', ')}; ${keep} are kept.`;
}
