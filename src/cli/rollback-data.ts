/** `node-updater rollback --restore-data`: the version before, on the data that it left. */
import { EXIT, UpdaterError } from '../errors.ts';
import { committedBefore } from '../machine/plan.ts';
import type { Version } from '../release.ts';
import type { BackupRecord } from '../backup/record.ts';
import { act, tell } from './act.ts';
import { actOn, type Target } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import { readFacts } from './facts.ts';
import type { Host } from './host.ts';
import type { Format } from './report-error.ts';

/** Throws BACKUP_REFUSED without a [backup] table, BACKUP_UNKNOWN when the version has left no backup here. */
export async function rollbackWithData(command: CommandOf<'rollback'>, format: Format, host: Host): Promise<Ended> {
  const target = actOn(command.node, 'rollback --restore-data', host);
  const { node } = target;
  const { links, ledger } = await readFacts(node, host);
  const to = command.to ?? (links.current === undefined ? undefined : committedBefore(links.current, ledger));
  if (to === undefined) {
    throw new UpdaterError('POLICY_NO_TARGET', 'There is no version before the one that runs', {
      remedy: `See what could be gone back to: node-updater versions ${node}`,
    });
  }
  const { id, at } = await newestOf(to, target);
  if (command.mode === 'dry-run') {
    if (format === 'json') host.output.json({ schema: 1, dryRun: true, node, from: links.current, to, backup: id });
    else
      host.output.print([
        `${node} would be stopped, its data put back to what ${to} left at ${at} (${id}), and ${to} started on it.`,
        'What was written since would be kept beside it until the next update is committed. Nothing was changed.',
      ]);
    return EXIT.done;
  }
  const report = await act({ kind: { kind: 'restore', backup: id, to }, then: command.mode }, target, format, host);
  tell(report, format, host);
  return report.exit;
}

async function newestOf(version: Version, { node, settings }: Target): Promise<BackupRecord> {
  if (settings.backup === undefined) {
    throw new UpdaterError('BACKUP_REFUSED', `which data of ${node} to back up is not configured`, {
      remedy: `Add a [backup] table with paths to ${settings.file}; there is no backup to put back yet.`,
    });
  }
  const { listBackups } = await import('../backup/record.ts');
  const found = (await listBackups(settings.backup.directory)).backups.find(({ from }) => from === version);
  if (found !== undefined) return found;
  throw new UpdaterError('BACKUP_UNKNOWN', `${node} has no backup of the data that ${version} left`, {
    remedy: `Nothing was changed. What there is: sudo node-updater backup list ${node}`,
  });
}
