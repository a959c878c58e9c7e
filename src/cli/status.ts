/** `node-updater status`: one screen, without root, and fast: it reads names, links, ledgers, memories and settings. */
import type { CommandOf, Ended } from './command.ts';
import { viewConfig } from './config-view.ts';
import { namesOfNodes, readFacts, type NodeFacts } from './facts.ts';
import type { Host } from './host.ts';
import { pickNode } from './nodes.ts';
import { exitOfStatus, reportStatus, type Compare } from './status-report.ts';
import { statusLines } from './status-text.ts';
import { askUnits } from './units.ts';
import type { Format } from './report-error.ts';

export async function status(command: CommandOf<'status'>, format: Format, host: Host): Promise<Ended> {
  const known = namesOfNodes(host);
  const nodes = command.node === undefined ? known : [pickNode(command.node, known)];
  // systemd is asked first: what loads the configuration is dear, and runs while it answers.
  const [units, facts, config] = await Promise.all([
    askUnits(nodes, host.run),
    Promise.all(nodes.map((node): Promise<NodeFacts> => readFacts(node, host))),
    viewConfig(host),
  ]);
  const report = reportStatus(facts, units, config, await comparer(facts));
  if (format === 'json') host.output.json(report);
  else host.output.print(statusLines(report, host.clock().now()));
  return exitOfStatus(report);
}

/** What compares versions is loaded where there is something to compare. */
async function comparer(facts: readonly NodeFacts[]): Promise<Compare> {
  if (facts.every(({ check }) => check?.minimum === undefined)) return () => 0;
  return (await import('../version.ts')).compareVersions;
}
