/** `node-updater backup`: `create` and `restore` ask the transaction unit, which holds the node down; the rest only looks. */
import type { BackupContext } from '../backup/context.ts';
import { listBackups, type BackupRecord } from '../backup/record.ts';
import { EXIT, UpdaterError } from '../errors.ts';
import type { BackupEstimate, RequestKind } from '../orders.ts';
import type { BackupSettings } from '../settings.ts';
import { act, tell } from './act.ts';
import { actOn, type Target } from './ask.ts';
import type { CommandOf, Ended } from './command.ts';
import type { Host } from './host.ts';
import type { Line } from './output.ts';
import { describeError, type Format } from './report-error.ts';
import { table } from './table.ts';

type BackupCommand = CommandOf<'backup'>;

/** Throws USAGE_NOT_PERMITTED (nobody else may read the data), BACKUP_REFUSED where no [backup] is configured. */
export async function backup(command: BackupCommand, format: Format, host: Host): Promise<Ended> {
  const target = actOn(command.node, `backup ${command.action}`, host);
  const settings = configured(target);
  switch (command.action) {
    case 'create':
      return create(command, target, settings, format, host);
    case 'list':
      return list(target, settings, format, host);
    case 'verify':
      return verify(command, target, settings, format, host);
    case 'restore':
      return restore(command, target, settings, format, host);
  }
}

function configured({ settings }: Target): BackupSettings {
  if (settings.backup !== undefined) return settings.backup;
  throw new UpdaterError('BACKUP_REFUSED', `which data of ${settings.node} to back up is not configured`, {
    remedy: `Add a [backup] table with paths to ${settings.file}; /usr/share/doc/node-autoupdate/examples/example.toml explains it.`,
  });
}

async function create(
  command: BackupCommand,
  target: Target,
  settings: BackupSettings,
  format: Format,
  host: Host,
): Promise<Ended> {
  if (command.mode !== 'dry-run') return request({ kind: 'backup' }, command.mode, target, format, host);
  const { estimateBackup } = await import('../backup/create.ts');
  const estimate = await estimateBackup(await contextFor(target, settings, host));
  const { node } = target;
  if (format === 'json') host.output.json({ schema: 1, dryRun: true, node, estimate });
  else host.output.print(estimateLines(node, estimate));
  return EXIT.done;
}

export function estimateLines(node: string, { bytes, entries, seconds, paths }: BackupEstimate): Line[] {
  const rows = paths.map((path) => [path.path, path.method, size(path.bytes), `${path.entries} entries`]);
  return [
    ...table(rows),
    `${node} would be down for about ${seconds} s, for ${size(bytes)} in ${entries} entries. No backup was made.`,
  ];
}

async function list(target: Target, settings: BackupSettings, format: Format, host: Host): Promise<Ended> {
  const { node } = target;
  const { directory } = settings;
  const { backups, problems } = await listBackups(directory);
  for (const problem of problems) host.output.complain(describeError(problem));
  if (format === 'json') host.output.json({ schema: 1, node, directory, backups, problems: problems.map(problemOf) });
  else host.output.print(listLines(node, directory, backups));
  return problems.length === 0 ? EXIT.done : EXIT.failed;
}

export function listLines(node: string, directory: string, backups: readonly BackupRecord[]): Line[] {
  if (backups.length === 0)
    return [`${node} has no backup in ${directory}.`, '', `Next: sudo node-updater backup create ${node}`];
  const rows = backups.map((one) => {
    const methods = [...new Set(one.paths.map(({ method }) => method))].join(', ');
    const sealed = one.paths.every(({ digests }) => digests !== undefined) ? '' : 'content not read yet';
    return [one.id, one.from ?? '-', size(one.bytes), methods, [one.reason, sealed].filter(Boolean).join('; ')];
  });
  return table([['ID', 'VERSION', 'SIZE', 'METHOD', 'NOTES'], ...rows]);
}

function problemOf({ code, message, remedy }: UpdaterError) {
  return { code, message, remedy };
}

const UNREAD =
  'holds every file at its size, but nobody knows their content: it is read once the node runs again, and that was cut short.';

interface Verdict {
  readonly id: string;
  /** `unread`: every file is there as it was listed, and its content was never read to be compared with. */
  readonly whole: 'whole' | 'unread' | 'damaged';
  readonly message?: string;
}

async function verify(
  command: BackupCommand,
  target: Target,
  settings: BackupSettings,
  format: Format,
  host: Host,
): Promise<Ended> {
  const { verifyBackup } = await import('../backup/seal.ts');
  const context = await contextFor(target, settings, host);
  const { backups, problems } = await listBackups(settings.directory);
  const ids = command.id === undefined ? backups.map(({ id }) => id) : [command.id];
  const verdicts: Verdict[] = [];
  for (const id of ids) {
    try {
      verdicts.push({ id, whole: isRead(await verifyBackup(id, context)) ? 'whole' : 'unread' });
    } catch (error) {
      if (!(error instanceof UpdaterError) || error.code !== 'BACKUP_DAMAGED') throw error;
      verdicts.push({ id, whole: 'damaged', message: error.message });
    }
  }
  const unread = command.id === undefined ? problems : [];
  for (const problem of unread) host.output.complain(describeError(problem));
  if (format === 'json')
    host.output.json({ schema: 1, node: target.node, backups: verdicts, problems: unread.map(problemOf) });
  else host.output.print(verdictLines(target.node, verdicts));
  return unread.length === 0 && verdicts.every(({ whole }) => whole !== 'damaged') ? EXIT.done : EXIT.refused;
}

export function verdictLines(node: string, verdicts: readonly Verdict[]): Line[] {
  if (verdicts.length === 0) return [`${node} has no backup.`];
  return verdicts.map(({ id, whole, message }): Line => {
    if (whole === 'damaged') return { text: `${id} is damaged: ${message ?? ''}`, tone: 'bad' };
    return whole === 'whole' ? `${id} is whole.` : { text: `${id} ${UNREAD}`, tone: 'dim' };
  });
}

async function restore(
  command: BackupCommand,
  target: Target,
  settings: BackupSettings,
  format: Format,
  host: Host,
): Promise<Ended> {
  const { readRecord } = await import('../backup/record.ts');
  const id = command.id ?? (await newest(target, settings));
  const record = await readRecord(settings.directory, id);
  if (command.mode !== 'dry-run') return request({ kind: 'restore', backup: id }, command.mode, target, format, host);
  const { requireGoodRestore } = await import('../backup/restorable.ts');
  await requireGoodRestore(id, await contextFor(target, settings, host));
  const paths = record.paths.map(({ path }) => path);
  if (format === 'json') host.output.json({ schema: 1, dryRun: true, node: target.node, backup: record });
  else host.output.print(dryRestoreLines(target.node, record, paths));
  return EXIT.done;
}

function isRead({ paths }: BackupRecord): boolean {
  return paths.every(({ digests }) => digests !== undefined);
}

function dryRestoreLines(node: string, record: BackupRecord, paths: readonly string[]): Line[] {
  const { id, at, from } = record;
  const version = from === undefined ? '' : ` of version ${from}`;
  return [
    `${node} would be stopped, and ${paths.join(', ')} put back to what it was at ${at}${version}.`,
    'What was written since would be kept beside it until the next update is committed; signing state would stay as it is.',
    `${id} ${isRead(record) ? 'is whole.' : UNREAD} Nothing was changed.`,
  ];
}

async function newest({ node }: Target, { directory }: BackupSettings): Promise<string> {
  const [record] = (await listBackups(directory)).backups;
  if (record !== undefined) return record.id;
  throw new UpdaterError('BACKUP_UNKNOWN', `${node} has no backup in ${directory}`, {
    remedy: 'Nothing was changed. A backup elsewhere is found once backup.directory names its place.',
  });
}

async function request(
  kind: RequestKind,
  then: 'follow' | 'no-wait',
  target: Target,
  format: Format,
  host: Host,
): Promise<Ended> {
  const report = await act({ kind, then }, target, format, host);
  tell(report, format, host);
  return report.exit;
}

/** For what only looks: the person's own rights do, and nobody waits for a heartbeat. */
async function contextFor({ node, layout }: Target, settings: BackupSettings, host: Host): Promise<BackupContext> {
  const [files, log] = await Promise.all([host.files(), host.log('warn')]);
  const heartbeat = { beat: () => undefined, status: () => undefined, during: <T>(waited: Promise<T>) => waited };
  return { node, layout, settings, files, run: host.run, clock: host.clock(), log, heartbeat };
}

function size(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${at === 0 ? bytes : (bytes / 1024 ** at).toFixed(1)}${units[at] ?? ''}`;
}
