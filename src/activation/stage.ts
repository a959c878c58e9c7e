/**
 * Stages a release: from an archive that was checked to `versions/VERSION`, complete and on the disk before it has that
 * name (DESIGN.md sections 5 and 10).
 *
 * A version is staged if its directory is there and so is its record, `versions/.VERSION.complete`. The record is beside the
 * directory and not in it, so that the release stays as it was signed; it is written first, so a directory under
 * its final name always has one, and a record alone means nothing. Before it comes the listing of the files
 * (listing-file.ts), durable like the record. Who removes a version renames the directory away first and removes the two
 * after it. Versions never start with a dot, so the names cannot meet.
 *
 * Threat: somebody else's files in our places. The staging name is random and made by mkdir(2), which follows nothing;
 * the directory is closed (0700) until it is whole.
 */
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, chown, lstat, mkdir, readFile, readdir } from 'node:fs/promises';
import { diskError, UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { Files } from '../host/ports.ts';
import { versionPath, type NodeLayout } from '../layout.ts';
import type { Listed } from '../listing.ts';
import { parseVersion, type Digest, type Version } from '../release.ts';
import { checkEntryPoint } from './entry-point.ts';
import { earlyFlush } from './flush.ts';
import { listingPath, listingText } from './listing-file.ts';
import { checkOwnDirectory } from './own-directory.ts';

export interface ReleaseToStage {
  readonly version: Version;
  /** SHA-256 of the archive. */
  readonly digest: Digest;
  readonly entries: number;
  readonly unpackedSize: number;
  /** The node's binary, relative to the version directory. */
  readonly binary: string;
}

/**
 * Fills an empty directory with the release, and tells `wrote` of the bytes as it goes. Resolves to what it holds, in
 * walkOrder; `unlisted`: what it was can never be verified.
 */
export type UnpackInto = (directory: string, wrote: (bytes: number) => void) => Promise<readonly Listed[] | 'unlisted'>;

type Places = Pick<NodeLayout, 'versions'>;

interface CompleteRecord {
  readonly schema: 1;
  readonly version: string;
  readonly sha256: string;
  readonly entries: number;
  readonly unpackedSize: number;
}

const DIRECTORY_MODE = 0o755;
const STAGING = '.staging-';
/** What a version is renamed to before it is removed. */
export const REMOVED = '.removed-';
/** The names of a version's record and listing. */
const BESIDE = /^\.([^.].*)\.(?:complete|files)$/;

/** Is exactly this release staged? Throws DISK_ when that cannot be seen. */
export async function isStaged(layout: Places, version: Version, digest: Digest): Promise<boolean> {
  return (await recordOf(layout, version))?.sha256 === digest;
}

/** The versions that are staged, in no order. */
export async function listStaged(layout: Places): Promise<Version[]> {
  const staged: Version[] = [];
  for (const name of await namesIn(layout.versions)) {
    const version = parseVersion(name);
    if (version !== undefined && (await recordOf(layout, version)) !== undefined) staged.push(version);
  }
  return staged;
}

/**
 * Stages a release; does nothing when it is staged already, and what an earlier death left half-staged is removed first.
 * Throws HOST_STATE when the version is there with other bytes, ARTIFACT_ENTRY_POINT, DISK_, and what `unpack` throws; then
 * nothing under `versions` has changed.
 */
export async function stageRelease(
  release: ReleaseToStage,
  unpack: UnpackInto,
  layout: NodeLayout,
  files: Files,
): Promise<void> {
  if (await isStaged(layout, release.version, release.digest)) return;
  await files.makeDirectory(layout.versions, 0o755);
  await checkOwnDirectory(layout.versions);
  await checkFree(layout, release);
  await removeLeftovers(layout, files);
  const staging = await makeStaging(layout);
  try {
    const listed = await fill(staging, release, unpack, files);
    if (listed !== 'unlisted')
      await files.replace(listingPath(layout, release.version), listingOf(release, listed), 0o644);
    await files.replace(recordPath(layout, release.version), recordText(release), 0o644);
    await files.syncFileSystem(staging);
    await files.rename(staging, versionPath(layout, release.version));
  } catch (error) {
    await removeAfter(error, staging, files);
    throw error;
  }
}

async function fill(
  staging: string,
  release: ReleaseToStage,
  unpack: UnpackInto,
  files: Files,
): ReturnType<UnpackInto> {
  const flush = earlyFlush(staging, files);
  let listed: Awaited<ReturnType<UnpackInto>>;
  try {
    listed = await unpack(staging, flush.wrote);
  } catch (error) {
    await flush.end();
    throw error;
  }
  const lost = await flush.end();
  if (lost !== undefined) throw lost;
  await checkEntryPoint(staging, release.binary);
  await onDisk('open up', staging, () => chmod(staging, DIRECTORY_MODE));
  return listed;
}

/** Everything is our own (unpack.ts), as the directory itself is. */
function listingOf({ version, digest }: ReleaseToStage, listed: readonly Listed[]): Iterable<string> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const top: Listed = { kind: 'directory', path: '', mode: DIRECTORY_MODE };
  return listingText({ schema: 1, version, sha256: digest, uid, gid }, [top, ...listed]);
}

/** Removes what a death left half-staged or half-removed; only one transaction of a node runs at a time. */
export async function removeLeftovers(layout: Places, files: Files): Promise<void> {
  const names = await namesIn(layout.versions);
  for (const name of names) {
    const path = `${layout.versions}/${name}`;
    if (name.startsWith(STAGING) || name.startsWith(REMOVED)) await files.removeTree(path);
    const version = BESIDE.exec(name)?.[1];
    if (version !== undefined && !names.includes(version)) await files.remove(path);
  }
}

async function makeStaging(layout: Places): Promise<string> {
  const staging = `${layout.versions}/${STAGING}${randomBytes(12).toString('hex')}`;
  await onDisk('make the directory', staging, async () => {
    await mkdir(staging, 0o700);
    const { uid, gid } = await lstat(staging);
    const ours = process.getegid?.() ?? gid;
    if (gid !== ours) await chown(staging, uid, ours); // a setgid parent would hand its group down to every file
    await chmod(staging, 0o700);
  });
  return staging;
}

async function checkFree(layout: Places, { version, digest }: ReleaseToStage): Promise<void> {
  const path = `${layout.versions}/${version}`;
  if ((await statsOf(path)) === undefined) return;
  const there = (await recordOf(layout, version))?.sha256;
  const what =
    there === undefined ? 'which node-updater did not stage' : `staged from an archive with SHA-256 ${there}`;
  throw new UpdaterError('HOST_STATE', `${path} is there, ${what}; the release ${version} has SHA-256 ${digest}`, {
    remedy: `One version is one archive. Ask the publisher for a new version number, or move ${path} away if nothing runs from it.`,
  });
}

async function recordOf(layout: Places, version: Version): Promise<CompleteRecord | undefined> {
  const stats = await statsOf(`${layout.versions}/${version}`);
  if (stats?.isDirectory() !== true) return undefined;
  const path = recordPath(layout, version);
  const text = await onDisk('read', path, () => ifThere(readFile(path, 'utf8'), undefined));
  const record = text === undefined ? undefined : parseRecord(text);
  return record?.version === version ? record : undefined;
}

/** Where the record of a version is; who removes the version removes it last. */
export function recordPath(layout: Places, version: Version): string {
  return `${layout.versions}/.${version}.complete`;
}

function recordText({ version, digest, entries, unpackedSize }: ReleaseToStage): string {
  const record: CompleteRecord = { schema: 1, version, sha256: digest, entries, unpackedSize };
  return `${JSON.stringify(record)}\n`;
}

/** Undefined for text that is no record, as a torn or foreign file. */
function parseRecord(text: string): CompleteRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { schema, version, sha256, entries, unpackedSize } = value as Partial<Record<keyof CompleteRecord, unknown>>;
  if (schema !== 1 || typeof version !== 'string' || typeof sha256 !== 'string') return undefined;
  if (typeof entries !== 'number' || typeof unpackedSize !== 'number') return undefined;
  return { schema, version, sha256, entries, unpackedSize };
}

async function removeAfter(error: unknown, staging: string, files: Files): Promise<void> {
  try {
    await files.removeTree(staging);
  } catch (second) {
    throw diskError(new AggregateError([error, second], `${staging} could not be removed`), 'remove', staging);
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await onDisk('list', directory, () => ifThere(readdir(directory), []));
}

async function statsOf(path: string): Promise<Stats | undefined> {
  return onDisk('look at', path, () => ifThere(lstat(path), undefined));
}

async function onDisk<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, action, path);
  }
}
