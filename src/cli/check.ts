/** `node-updater check`: a look at the source now; installs nothing. */
import { EXIT } from '../errors.ts';
import { act, tell } from './act.ts';
import { actOn } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import type { Host } from './host.ts';
import type { Format } from './report-error.ts';

export async function check(command: CommandOf<'check'>, format: Format, host: Host): Promise<Ended> {
  const target = actOn(command.node, 'check', host);
  const report = await act({ kind: { kind: 'check' }, then: 'follow' }, target, format, host);
  tell(report, format, host);
  // What is offered is good news, and an exit status only for who asked for one.
  return report.exit === EXIT.offered && command.offered === 'exit-0' ? EXIT.done : report.exit;
}
