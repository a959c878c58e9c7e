/** `node-updater versions --restage VERSION`: a clean copy of a version that does not run. */
import { checkRestage } from '../machine/restage.ts';
import { EXIT } from '../errors.ts';
import { act, tell } from './act.ts';
import { actOn } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import type { Host } from './host.ts';
import type { Format } from './report-error.ts';

export async function restage(command: CommandOf<'restage'>, format: Format, host: Host): Promise<Ended> {
  const { version, mode } = command;
  const target = actOn(command.node, 'versions --restage', host);
  const { node, layout, settings } = target;
  if (mode === 'dry-run') {
    const verdict = await checkRestage(version, { layout, settings }, () => undefined);
    const wanted = verdict?.state !== 'holds';
    if (format === 'json') host.output.json({ schema: 1, dryRun: true, node, version, restage: wanted });
    else
      host.output.print([
        wanted
          ? `${version} would be fetched, verified and staged anew, if it is still on offer. Nothing was changed.`
          : `Nothing to do: every file of ${version} is what was staged.`,
      ]);
    return EXIT.done;
  }
  const report = await act({ kind: { kind: 'restage', version }, then: mode }, target, format, host);
  tell(report, format, host);
  return report.exit;
}
