/** The [backup] table: which of the node's data, and where to. What would back up, or put back, our own state is refused. */
import type { NodeLayout } from '../layout.ts';
import type { NodeBackup } from '../settings.ts';
import { given } from './global.ts';
import type { Complaint } from './problems.ts';
import type { NodeFragment } from './schema.ts';

export const BACKUP_DEFAULTS = {
  exclude: [],
  never_restore: [],
  keep: 3,
  method: 'auto',
  before: 'upgrade',
  longest: '1h',
};

/** Gone with the next boot, or none of the node's, or read-only or hidden in the backup room. */
const NO_DATA = ['/boot', '/dev', '/etc', '/proc', '/run', '/sys', '/tmp', '/usr', '/var/run', '/var/tmp'];

export function backupSettings(
  backup: NonNullable<NodeFragment['backup']>,
  layout: NodeLayout,
): { readonly settings: NodeBackup; readonly complaints: readonly Complaint[] } {
  const paths = given(backup.paths);
  const directory = backup.directory ?? layout.backups;
  const complaints = [...paths.flatMap((path) => wrongPath(path, directory, layout)), ...twice(paths)].map(
    (message) => ({
      path: ['backup', 'paths'],
      message,
    }),
  );
  if (directory !== layout.backups && NO_DATA.some((place) => overlaps(directory, place))) {
    complaints.push({ path: ['backup', 'directory'], message: `is no place for backups: ${directory}.` });
  }
  const settings: NodeBackup = {
    paths,
    exclude: given(backup.exclude),
    neverRestore: given(backup.never_restore),
    directory,
    keep: given(backup.keep),
    ...(backup.keep_age === undefined ? {} : { keepAge: backup.keep_age }),
    ...(backup.keep_size === undefined ? {} : { keepSize: backup.keep_size }),
    method: given(backup.method),
    before: given(backup.before),
    longest: given(backup.longest),
  };
  return { settings, complaints };
}

function wrongPath(path: string, directory: string, { home, state }: NodeLayout): string[] {
  const forbidden = [
    { place: home, what: 'the versions of the node' },
    { place: directory, what: 'the backups themselves' },
    { place: state, what: 'the state of the updater' },
  ];
  const found = forbidden.find(({ place }) => overlaps(path, place));
  if (found === undefined) {
    return NO_DATA.some((place) => overlaps(path, place)) ? [`holds no data of a node: ${path}.`] : [];
  }
  const how = overlap(path, found.place) === 'within' ? 'lies within' : 'holds';
  return [`names ${path}, which ${how} ${found.place}: ${found.what}.`];
}

function twice(paths: readonly string[]): string[] {
  return new Set(paths).size < paths.length ? ['names the same path twice.'] : [];
}

export function overlaps(path: string, other: string): boolean {
  return overlap(path, other) !== undefined;
}

function overlap(path: string, other: string): 'within' | 'around' | undefined {
  if (path === other || path.startsWith(`${other}/`)) return 'within';
  return path === '/' || other.startsWith(`${path}/`) ? 'around' : undefined;
}
