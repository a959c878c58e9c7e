/**
 * The partial file: `NAME.part`, and beside it `NAME.part.json` with what it is a part of. Both are believed for one
 * thing only, where to resume; what is in the file is judged by the transaction, on its own copy.
 *
 * Nothing here is fsynced: the cache may be lost in a power cut, and a file that is short is fetched on. Only this
 * process writes in the directory, but it opens as if it did not (no links, regular files only).
 */
import { constants } from 'node:fs';
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { diskError, errnoOf } from '../errors.ts';
import { isStrong, type Resume } from './answer.ts';

export interface Part {
  /** Where the finished file goes. */
  readonly path: string;
  readonly handle: FileHandle;
  /** Bytes in the file, and where the next one goes. */
  size: number;
  /** What the notes on disk say; undefined: no notes, nothing to resume. */
  notes: Notes | undefined;
}

const notesSchema = z.strictObject({
  url: z.string(),
  etag: z.string().check(z.refine(isStrong)),
  total: z.optional(z.int().check(z.nonnegative())),
});
type Notes = z.infer<typeof notesSchema>;

// The transaction reads through its supplementary group; nobody else does.
const MODE = 0o640;

export function partNames(name: string): { readonly bytes: string; readonly notes: string } {
  return { bytes: `${name}.part`, notes: `${name}.part.json` };
}

/** Opens what an earlier run left, or makes an empty part. @throws UpdaterError DISK_* */
export async function openPart(directory: string, name: string): Promise<Part> {
  const path = join(directory, name);
  try {
    const handle = (await openRegular(partPath(path))) ?? (await openFresh(partPath(path)));
    const { size } = await handle.stat();
    return { path, handle, size, notes: await readNotes(notesPath(path)) };
  } catch (cause) {
    throw diskError(cause, 'open', partPath(path));
  }
}

/** What can be asked for if `url` is the one the part came from. */
export function resumeOf(part: Part, url: string): Resume | undefined {
  const { notes, size } = part;
  if (notes?.url !== url) return undefined;
  const { etag, total } = notes;
  // An end before the rename left the whole file: its last byte is asked for again, to hear that the ETag still holds.
  const from = total !== undefined && size >= total ? total - 1 : size;
  return from <= 0 ? undefined : { from, etag, ...(total !== undefined && { total }) };
}

/**
 * Makes the part ready for a body that starts at `offset`. The notes go before bytes of another file come, so that a
 * kill in between leaves a part that nobody resumes. @throws UpdaterError DISK_*
 */
export async function beginPart(
  part: Part,
  offset: number,
  notes: { url: string; etag?: string; total?: number },
): Promise<void> {
  try {
    if (offset === 0) {
      await rm(notesPath(part.path), { force: true });
      part.notes = undefined;
    }
    await part.handle.truncate(offset);
    part.size = offset;
    const { url, etag, total } = notes;
    if (offset > 0 || !isStrong(etag)) return;
    part.notes = { url, etag, ...(total !== undefined && { total }) };
    await writeFresh(notesPath(part.path), JSON.stringify(part.notes));
  } catch (cause) {
    throw diskError(cause, 'write', partPath(part.path));
  }
}

/** @throws UpdaterError DISK_*; what was written before counts in `part.size` */
export async function appendPart(part: Part, bytes: Uint8Array): Promise<void> {
  try {
    // A disk that fills up takes a part of it first, and says so only when asked again.
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await part.handle.write(bytes, done, bytes.length - done, part.size);
      done += bytesWritten;
      part.size += bytesWritten;
    }
  } catch (cause) {
    throw diskError(cause, 'write', partPath(part.path));
  }
}

/** The finished file takes its place in one rename. @throws UpdaterError DISK_* */
export async function completePart(part: Part): Promise<void> {
  try {
    await part.handle.chmod(MODE);
    await rename(partPath(part.path), part.path);
    await rm(notesPath(part.path), { force: true });
  } catch (cause) {
    throw diskError(cause, 'finish', part.path);
  }
}

/** Keeps a part that can be resumed, removes one that cannot: it would only take space. */
export async function closePart(part: Part): Promise<void> {
  await part.handle.close();
  if (part.notes === undefined || part.size === 0) await discardPart(part);
}

export async function discardPart(part: Part): Promise<void> {
  await rm(notesPath(part.path), { force: true });
  await rm(partPath(part.path), { force: true });
}

async function openRegular(path: string): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'EISDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  const facts = await handle.stat();
  if (facts.isFile() && facts.nlink === 1) return handle;
  await handle.close();
  return undefined;
}

async function openFresh(path: string): Promise<FileHandle> {
  await rm(path, { force: true, recursive: true });
  return open(path, 'wx+', MODE);
}

async function writeFresh(path: string, text: string): Promise<void> {
  await using handle = await openFresh(path);
  await handle.writeFile(text);
}

async function readNotes(path: string): Promise<Notes | undefined> {
  const handle = await openRegular(path);
  if (handle === undefined) return undefined;
  await using closing = handle;
  const text = await readFile(closing, 'utf8');
  const notes = notesSchema.safeParse(parseJson(text));
  return notes.success ? notes.data : undefined;
}

/** Undefined for text that is no JSON: torn notes only mean that nothing is resumed. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function partPath(path: string): string {
  return `${path}.part`;
}

function notesPath(path: string): string {
  return `${path}.part.json`;
}
