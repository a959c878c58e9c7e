/** `node-updater upgrade`: asks for the release that is offered, or for one by name. */
import { EXIT } from '../errors.ts';
import { act, tell } from './act.ts';
import { actOn, type Target } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import type { Host } from './host.ts';
import type { Format } from './report-error.ts';

export async function upgrade(command: CommandOf<'upgrade'>, format: Format, host: Host): Promise<Ended> {
  const target = actOn(command.node, 'upgrade', host);
  if (command.mode === 'dry-run') return dryRun(command, target, format, host);
  const { force, to } = command;
  const kind = { kind: 'upgrade', force, ...(to === undefined ? {} : { to }) } as const;
  const report = await act({ kind, then: command.mode }, target, format, host);
  tell(report, format, host);
  return report.exit;
}

/** A real look at the source, then the same decision that the transaction would make. */
async function dryRun(command: CommandOf<'upgrade'>, target: Target, format: Format, host: Host): Promise<Ended> {
  const looked = await act({ kind: { kind: 'check' }, then: 'follow' }, target, format, host);
  if (looked.failure !== undefined || looked.result !== 'answered') {
    tell(looked, format, host);
    return looked.exit;
  }
  const { planDryUpgrade, dryUpgradeLines } = await import('./dry-upgrade.ts');
  const plan = await planDryUpgrade(command, target, host);
  if (format === 'json') host.output.json(plan);
  else host.output.print(dryUpgradeLines(plan));
  return plan.refused === undefined ? EXIT.done : EXIT.failed;
}
