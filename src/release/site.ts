/**
 * The static directory that is published: `manifest.json`, and below `releases/` and `keys/` what never changes.
 *
 * A file below `releases/` bears the digest of its bytes in its path: a cache that still has an earlier answer for a path can
 * then only have the right one, and everything but `manifest.json` may be kept for ever.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { diskError, errnoOf } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { Digest, Version } from '../release.ts';
import { readEnvelope } from '../trust/envelope.ts';
import { parseManifest } from '../trust/manifest.ts';
import { SUFFIX } from './description.ts';
import { refuse } from './refuse.ts';
import { about } from './remedies.ts';

export const MANIFEST_FILE = 'manifest.json';

/** Where an archive of a version lies, relative to the manifest. */
export function archivePath(version: Version, sha256: Digest, file: string): string {
  return `releases/${version}/${sha256}/${file}`;
}

/** Where a signature of the archive lies: one made again, by other keys, is another file. */
export function signaturePath(archive: string, signature: Uint8Array): string {
  const digest = createHash('sha256').update(signature).digest('hex');
  return `${archive}.${digest.slice(0, 16)}${SUFFIX.signature}`;
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

/** What a directory publishes, whoever signed it: whether it may be believed is found out elsewhere. */
export async function readPublished(directory: string): Promise<Manifest | undefined> {
  const envelope = await readManifestFile(directory);
  if (envelope === undefined) return undefined;
  return about('before', `${directory}/${MANIFEST_FILE}`, () => parseManifest(readEnvelope(envelope).text));
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
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw diskError(error, 'read', path);
  }
}

/**
 * Refuses (RELEASE_CHANGED) when other bytes lie under this name for this version, or at `place`; true when these bytes lie
 * there already. It looks at the directory, since a manifest forgets old releases.
 */
export async function isPlaced(directory: string, place: string, sha256: Digest): Promise<boolean> {
  const [releases = '', version = '', , file = ''] = place.split('/');
  for (const other of await namesIn(`${directory}/${releases}/${version}`)) {
    const path = `${releases}/${version}/${other}${other === file ? '' : `/${file}`}`;
    const there = await fileFacts(`${directory}/${path}`);
    if (there !== undefined && there.sha256 !== sha256) throw otherBytes(`${directory}/${path}`, there.sha256, sha256);
  }
  return (await fileFacts(`${directory}/${place}`)) !== undefined;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw diskError(error, 'read', directory);
  }
}

function otherBytes(path: string, found: Digest, wanted: Digest): Error {
  const remedy =
    'A version never changes: build it again under a new one. If this one was never announced, remove the file.';
  return refuse('RELEASE_CHANGED', `${path} holds other bytes (${found}, not ${wanted})`, remedy);
}
