/** backup.json: what a backup is. Written last, and the directory gets its name after that: one with a name is complete. */
import { lstat, readdir, readFile } from 'node:fs/promises';
import * as z from 'zod';
import { errnoOf, UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import { parseNodeName, parseVersion, type NodeName, type Version } from '../release.ts';

const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const path = z.object({
  /** Absolute. */
  path: z.string().startsWith('/'),
  kind: z.enum(['directory', 'file']),
  /** Whether a file system was mounted at the path itself. */
  mount: z.enum(['here', 'elsewhere']),
  method: z.enum(['snapshot', 'reflink', 'copy']),
  entries: count,
  /** On the disk, each file once. */
  bytes: count,
  excluded: count,
  special: count,
  boundary: count,
  /** SHA-256 of N.listing, and of N.digests once the content was read (`seal`). */
  listing: sha256,
  digests: sha256.exactOptional(),
});

/** What `backupId` makes. */
export const BACKUP_ID = /^\d{8}T\d{9}Z-[0-9a-f]{8}$/;

const schema = z.object({
  schema: z.literal(1),
  id: z.string().regex(BACKUP_ID),
  /** One more than the last one's when it was made: which is newest, whatever the clock said. */
  number: count.default(0),
  node: z.string().transform((text, context): NodeName => parseNodeName(text) ?? invalid(context)),
  /** RFC 3339 in UTC. */
  at: z.iso.datetime(),
  reason: z.string().max(200),
  /** The version that wrote the data, and its epoch, as far as known. */
  from: z
    .string()
    .transform((text, context): Version => parseVersion(text) ?? invalid(context))
    .exactOptional(),
  epoch: count.exactOptional(),
  /** How long the node had to wait for it, in milliseconds. */
  took: count,
  entries: count,
  bytes: count,
  exclude: z.array(z.string()),
  neverRestore: z.array(z.string()),
  paths: z.array(path).min(1),
});

export type BackupRecord = Readonly<z.output<typeof schema>>;
export type RecordedPath = Readonly<z.output<typeof path>>;

export const RECORD = 'backup.json';

function invalid(context: z.RefinementCtx): never {
  context.addIssue({ code: 'custom', message: 'is no name' });
  return z.NEVER;
}

/** Sorts by time as text, as far as the clock was right. `random`: 8 hexadecimal digits. */
export function backupId(now: number, random: string): string {
  return `${new Date(now).toISOString().replaceAll(/[-:.]/g, '')}-${random}`;
}

export interface Listed {
  /** Newest first. */
  readonly backups: readonly BackupRecord[];
  /** What lies there and cannot be read. */
  readonly problems: readonly UpdaterError[];
}

/** The complete backups in a directory; none when there is no such directory. */
export async function listBackups(directory: string): Promise<Listed> {
  const names = (await ifThere(readdir(directory), [])).filter((name) => !name.startsWith('.')).sort();
  const backups: BackupRecord[] = [];
  const problems: UpdaterError[] = [];
  for (const name of names.reverse()) {
    try {
      backups.push(await readRecord(directory, name));
    } catch (error) {
      if (!(error instanceof UpdaterError)) throw error;
      problems.push(error);
    }
  }
  // As many as one number have come as text, newest first, already.
  return { backups: backups.sort((a, b) => b.number - a.number), problems };
}

/** Throws BACKUP_UNKNOWN, BACKUP_DAMAGED. */
export async function readRecord(directory: string, id: string): Promise<BackupRecord> {
  const file = `${directory}/${id}/${RECORD}`;
  try {
    if (id.includes('/') || !(await lstat(`${directory}/${id}`)).isDirectory()) throw unknown(id, directory);
    const record = schema.parse(JSON.parse(await readFile(file, 'utf8')));
    if (record.id !== id) throw new Error(`it says ${record.id}`);
    return record;
  } catch (error) {
    if (error instanceof UpdaterError) throw error;
    if (errnoOf(error) === 'ENOENT') throw unknown(id, directory);
    throw damaged(`${file} cannot be understood`, error);
  }
}

export function damaged(message: string, cause?: unknown): UpdaterError {
  return new UpdaterError('BACKUP_DAMAGED', message, {
    remedy:
      'The data that is there was left as it is. See which backups are whole: node-updater backup verify, and look at ' +
      '`dmesg` for disk errors.',
    cause,
  });
}

function unknown(id: string, directory: string): UpdaterError {
  return new UpdaterError('BACKUP_UNKNOWN', `there is no backup ${id} in ${directory}`, {
    remedy: 'See which there are: node-updater backup list',
  });
}
