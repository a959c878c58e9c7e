/**
 * restores/ID.json in the node's state directory: what a restore is about to rename. Written, durable, before the first of
 * the renames; from then on a restore only goes forward, however often it is interrupted.
 */
import { readdir, readFile } from 'node:fs/promises';
import * as z from 'zod';
import { UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { BackupContext } from './context.ts';

/** Absolute, one character for each byte. */
const raw = z.string().startsWith('/');
const move = z.object({ from: raw, to: raw });

const target = z.object({
  path: raw,
  /** Whether a file system was mounted at the path itself; a journal of before this was known does not say. */
  mount: z.enum(['here', 'elsewhere']).default('elsewhere'),
  /** Our directory beside the data (0700): what is put into its place lies in it, as `tree`. */
  work: raw,
  /** What was there before: kept until it is dropped. */
  before: raw,
  /** First away with what is there, then in with what is restored, then back with what no backup holds. */
  away: z.array(move),
  in: z.array(move),
  back: z.array(move),
  /** Directories that stay, since another file system is mounted at or below them; relative to `path`. */
  stay: z.array(z.string()),
});

const schema = z.object({
  schema: z.literal(1),
  restore: z.string(),
  backup: z.string(),
  state: z.enum(['open', 'done']),
  targets: z.array(target),
});

export type Journal = Readonly<z.output<typeof schema>>;
export type RestoreTarget = Readonly<z.output<typeof target>>;
export type Move = Readonly<z.output<typeof move>>;

type Place = Pick<BackupContext, 'layout' | 'files'>;

export async function writeJournal(journal: Journal, { layout, files }: Place): Promise<void> {
  await files.makeDirectory(layout.restores, 0o700);
  await files.replace(`${layout.restores}/${journal.restore}.json`, `${JSON.stringify(journal)}\n`, 0o600);
}

export async function removeJournal(restore: string, { layout, files }: Place): Promise<void> {
  await files.remove(`${layout.restores}/${restore}.json`);
}

/** All of them, oldest name first. Throws HOST_STATE. */
export async function readJournals({ layout }: Pick<Place, 'layout'>): Promise<Journal[]> {
  const names = (await ifThere(readdir(layout.restores), [])).filter((name) => /^[^.].*\.json$/.test(name));
  return await Promise.all(names.sort().map((name) => readJournal(`${layout.restores}/${name}`)));
}

async function readJournal(path: string): Promise<Journal> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new UpdaterError('HOST_STATE', `${path} cannot be understood`, {
      remedy:
        'It says which directories a restore was renaming. Look at the paths of [backup]: what was there before is kept ' +
        'beside them, in names with "before-". Put them right by hand, then remove the file.',
      cause: error,
    });
  }
}
