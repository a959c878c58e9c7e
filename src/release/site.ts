/** The static directory that is published: `manifest.json`, and below `releases/` what never changes. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { constants, copyFile, open, readFile, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { diskError, errnoOf } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import type { Digest, Version } from '../release.ts';
import { refusePublication } from './refuse.ts';

export const MANIFEST_FILE = 'manifest.json';

/** Where an archive of a version lies, relative to the manifest. */
export function archivePath(version: Version, file: string): string {
  return `releases/${version}/${file}`;
}

/** The same as a relative URL: a version may hold `+`, which some servers read as a blank. */
export function urlOf(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** The path in the directory that a relative URL stands for; undefined for a URL that leads elsewhere. */
export function localPath(url: string): string | undefined {
  if (URL.canParse(url) || url.startsWith('/')) return undefined;
  try {
    const path = url.split('/').map(decodeURIComponent);
    return path.some((part) => part === '..' || part.includes('/') || part.includes('\0')) ? undefined : path.join('/');
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Undefined when there is none yet. */
export async function readManifestFile(directory: string): Promise<Buffer | undefined> {
  try {
    return await readFile(`${directory}/${MANIFEST_FILE}`);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, 'read', `${directory}/${MANIFEST_FILE}`);
  }
}

export interface FileFacts {
  readonly size: number;
  readonly sha256: Digest;
}

/** Undefined when the file is not there. */
export async function fileFacts(path: string): Promise<FileFacts | undefined> {
  const hash = createHash('sha256');
  try {
    const { size } = await stat(path);
    await pipeline(createReadStream(path), hash);
    return { size, sha256: hash.digest('hex') as Digest };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, 'read', path);
  }
}

/** Refuses (RELEASE_REFUSED) when other bytes lie at `path`; true when these bytes lie there already. */
export async function isPlaced(path: string, sha256: Digest): Promise<boolean> {
  const there = await fileFacts(path);
  if (there === undefined) return false;
  if (there.sha256 === sha256) return true;
  const remedy =
    'A version never changes: build it again under a new one. If this one was never announced, remove the file.';
  throw refusePublication(`${path} holds other bytes (${there.sha256}, not ${sha256})`, remedy);
}

/** Copies an archive into the directory, whole and flushed before it has its name. Does nothing when it is there. */
export async function placeArchive(from: string, to: string, sha256: Digest, files: Files): Promise<void> {
  if (await isPlaced(to, sha256)) return;
  await files.makeDirectory(to.slice(0, to.lastIndexOf('/')), 0o755);
  const temporary = `${to}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await copyFile(from, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    if ((await fileFacts(temporary))?.sha256 !== sha256) {
      throw refusePublication(
        `${from} changed while it was published`,
        'Publish from a directory that nobody writes to.',
      );
    }
    await using file = await open(temporary, 'r+');
    await file.chmod(0o644);
    await file.sync();
    await files.rename(temporary, to);
  } catch (error) {
    throw diskError(error, 'write', to);
  } finally {
    await rm(temporary, { force: true });
  }
}
