/** `node-updater rollback`: back to the version that was committed before, or to one that is named. */
import { EXIT, UpdaterError } from '../errors.ts';
import { cleanCopyOrForce, damagedVersion } from '../activation/check-whole.ts';
import { listStaged } from '../activation/stage.ts';
import { verifyVersion } from '../activation/verify-version.ts';
import type { NodeLayout } from '../layout.ts';
import { committedBefore, dataOf, dataTooNew } from '../machine/plan.ts';
import { findOpen } from '../machine/recover.ts';
import { crossing } from '../policy/epoch.ts';
import type { NodeName, Version } from '../release.ts';
import { act, tell } from './act.ts';
import { rollbackWithData } from './rollback-data.ts';
import { actOn } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode, readFacts, type NodeFacts } from './facts.ts';
import type { Host } from './host.ts';
import type { Format } from './report-error.ts';
import { askUnits, isDown, type Units } from './units.ts';

export async function rollback(command: CommandOf<'rollback'>, format: Format, host: Host): Promise<Ended> {
  if (command.data === 'restore') return rollbackWithData(command, format, host);
  if (command.mode === 'dry-run') return dryRun(command, format, host);
  const target = actOn(command.node, 'rollback', host);
  const { force, to } = command;
  const kind = { kind: 'rollback', force, ...(to === undefined ? {} : { to }) } as const;
  const report = await act({ kind, then: command.mode }, target, format, host);
  tell(report, format, host);
  return report.exit;
}

async function dryRun(command: CommandOf<'rollback'>, format: Format, host: Host): Promise<Ended> {
  const node = oneNode(command.node, host);
  const facts = await readFacts(node, host);
  const [problem] = facts.problems;
  if (problem !== undefined) throw problem;
  const plan = planDryRollback(facts, await listStaged(host.layout.node(node)), command);
  if (plan.ends === 'none') {
    const refusal = stoppedNode(node, await askUnits([node], host.run));
    if (refusal !== undefined) throw refusal;
    if (!command.force.includes('damaged')) await refuseDamaged(plan.to, host.layout.node(node), node);
  }
  if (format === 'json') host.output.json(plan);
  else host.output.print([`${node} would go back ${plan.from} → ${plan.to}. Nothing was changed.`, `  ${plan.how}.`]);
  return EXIT.done;
}

/** As the preflight does. */
async function refuseDamaged(version: Version, layout: NodeLayout, node: NodeName): Promise<void> {
  const verdict = await verifyVersion(version, layout, () => undefined);
  if (verdict.state === 'damaged') throw damagedVersion(version, verdict, cleanCopyOrForce(version, node));
}

/**
 * The preflight's rule: who rolls back a node that has failed wants it to run, and one that its operator stopped stays
 * stopped. Pure.
 */
export function stoppedNode(node: NodeName, units: Units): UpdaterError | undefined {
  const unit = units.known ? units.units.get(`${node}.service`) : undefined;
  if (!isDown(unit) || unit?.active !== 'inactive') return undefined;
  const message = `${node}.service is stopped, and what its operator stopped is not started by us: a rollback is refused`;
  return new UpdaterError('POLICY_NODE_STOPPED', message, {
    remedy: `Start the node, then roll back: sudo systemctl start ${node}.service && sudo node-updater rollback ${node}`,
  });
}

export interface DryRollback {
  readonly schema: 1;
  readonly dryRun: true;
  readonly node: string;
  readonly from: Version;
  readonly to: Version;
  /** `open`: the transaction that is under way would be ended; `none`: a transaction of its own. */
  readonly ends: 'open' | 'none';
  readonly how: string;
}

/** What the transaction would decide, from the same facts. Throws POLICY_NO_TARGET as it would. Pure. */
export function planDryRollback(
  { links, ledger, check, node }: NodeFacts,
  staged: readonly Version[],
  { to, force }: Pick<CommandOf<'rollback'>, 'to' | 'force'>,
): DryRollback {
  const refuse = (message: string): UpdaterError =>
    new UpdaterError('POLICY_NO_TARGET', message, {
      remedy: `See what could be gone back to: node-updater versions ${node}`,
    });
  const { current } = links;
  if (current === undefined) throw refuse('Nothing is installed, so there is nothing to roll back');
  const open = findOpen(ledger.records)?.transaction;
  const plan = { schema: 1, dryRun: true, node, from: current } as const;
  if (open?.from !== undefined && (to === undefined || to === open.from)) {
    const how = `The ${open.action} that is under way would be ended, and systemd puts ${open.from} back`;
    return { ...plan, to: open.from, ends: 'open', how };
  }
  const target = to ?? committedBefore(current, ledger);
  if (target === undefined) throw refuse(`No version was committed before ${current}`);
  if (target === current) throw refuse(`${target} is what runs already`);
  if (!staged.includes(target)) throw refuse(`${target} is not staged on this host`);
  if (check?.withdrawn?.includes(target) === true) throw refuse(`${target} was withdrawn by its publisher`);
  const backward = crossing(dataOf(current, ledger), dataOf(target, ledger)) !== undefined && !force.includes('epoch');
  if (backward) throw dataTooNew(current, target, { settings: { node } });
  const how = `One restart; then ${target} must hold its health gate, or ${current} comes back`;
  return { ...plan, to: target, ends: 'none', how };
}
