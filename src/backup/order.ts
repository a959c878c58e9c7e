import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { UpdaterError } from '../errors.ts';
import type { BackupOrder } from '../orders.ts';
import { parseVersion, type Version } from '../release.ts';

const text = z.string().min(1).max(4096);
const absolute = text.startsWith('/');
/** One safe path component. */
const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/);
const globs = z.array(text).max(1000);
const count = z.number().int().nonnegative();

const common = {
  schema: z.literal(1),
  id,
  settings: z.object({
    paths: z.array(absolute).min(1).max(1000),
    exclude: globs,
    neverRestore: globs,
    directory: absolute,
    keep: count,
    keepAge: count.exactOptional(),
    keepSize: count.exactOptional(),
    method: z.enum(['auto', 'reflink', 'snapshot', 'copy']),
  }),
};

const version = z.string().transform((value, context): Version => {
  const parsed = parseVersion(value);
  if (parsed === undefined) context.addIssue({ code: 'custom', message: 'is no version' });
  return parsed ?? z.NEVER;
});

const schema: z.ZodType<BackupOrder> = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('estimate') }),
  z.object({
    ...common,
    kind: z.literal('create'),
    reason: text.max(200),
    from: version.exactOptional(),
    epoch: count.exactOptional(),
  }),
  z.object({ ...common, kind: z.literal('restore'), backup: id, restore: id }),
  z.object({ ...common, kind: z.literal('finish') }),
  z.object({ ...common, kind: z.literal('seal'), backup: id }),
  z.object({ ...common, kind: z.literal('verify'), backup: id }),
  z.object({ ...common, kind: z.literal('prune'), needed: z.array(id).max(1000) }),
  z.object({ ...common, kind: z.literal('drop'), restore: id }),
]);

/** The text of backup.json. Throws BACKUP_ROOM: the transaction and this room are then of different versions. */
export function parseBackupOrder(json: string): BackupOrder {
  try {
    return schema.parse(JSON.parse(json));
  } catch (cause) {
    throw orderError('the order of the backup room cannot be understood', cause);
  }
}

export async function readBackupOrder(path: string): Promise<BackupOrder> {
  let json: string;
  try {
    json = await readFile(path, 'utf8');
  } catch (cause) {
    throw orderError(`the order of the backup room cannot be read: ${path}`, cause);
  }
  return parseBackupOrder(json);
}

function orderError(message: string, cause: unknown): UpdaterError {
  return new UpdaterError('BACKUP_ROOM', message, {
    remedy: 'The backup room is started by a transaction, which writes its order first. Nothing was touched.',
    cause,
  });
}
