/** `node-updater check`: a look at the source now; installs nothing. */
import { EXIT } from '../errors.ts';
import { act, tell } from './act.ts';
import { actOn, type Target } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import { readFacts } from './facts.ts';
import type { Host } from './host.ts';
import type { OutcomeReport } from './outcome.ts';
import type { Format } from './report-error.ts';
import { warningsOf } from './status-report.ts';

export async function check(command: CommandOf<'check'>, format: Format, host: Host): Promise<Ended> {
  const target = actOn(command.node, 'check', host);
  const report = await act({ kind: { kind: 'check' }, then: 'follow' }, target, format, host);
  tell(await withWarnings(report, target, host), format, host);
  // What is offered is good news, and an exit status only for who asked for one.
  return report.exit === EXIT.offered && command.offered === 'exit-0' ? EXIT.done : report.exit;
}

/** Of this look alone: one that failed, or was not waited for, has learnt nothing of what to warn of. */
async function withWarnings(report: OutcomeReport, { node }: Target, host: Host): Promise<OutcomeReport> {
  if (report.result !== 'answered' || report.failure !== undefined) return report;
  return { ...report, ...warningsOf(await readFacts(node, host)) };
}
