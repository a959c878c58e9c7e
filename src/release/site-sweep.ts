/**
 * What publications that were killed have left in a published directory: files that would be served, and copied, for ever. Only
 * names that a publication gives are looked at, so that nobody's own file is removed; and what another publication is still
 * writing is held by a lock, which the kernel gives back however its holder dies.
 */
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { diskError, errnoOf } from '../errors.ts';
import type { Files, Run } from '../host/ports.ts';
import { MANIFEST_FILE } from './site.ts';

/** `ARCHIVE.HEX.tmp`, as `placeArchive` names it. */
const TEMPORARY_ARCHIVE = /^.+\.(?:tar|tar\.\w+|tgz)\.[0-9a-f]{12}\.tmp$/;
const SIGNATURE = /^.+\.[0-9a-f]{16}\.asc$/;
const KEY_SET = /^\d+\.json$/;
const DIGEST = /^[0-9a-f]{64}$/;

/** To be called under the lock of the site: the short writes of others are made under it. */
export async function sweepSite(directory: string, deps: { readonly files: Files; readonly run: Run }): Promise<void> {
  const { files } = deps;
  await files.sweep(directory, (name) => name === MANIFEST_FILE);
  await files.sweep(`${directory}/keys`, (name) => KEY_SET.test(name));
  for (const version of await namesIn(`${directory}/releases`)) {
    for (const digest of await namesIn(`${directory}/releases/${version}`)) {
      if (DIGEST.test(digest)) await sweepArchives(`${directory}/releases/${version}/${digest}`, deps);
    }
  }
}

async function sweepArchives(place: string, { files, run }: Parameters<typeof sweepSite>[1]): Promise<void> {
  await files.sweep(place, (name) => SIGNATURE.test(name));
  for (const name of await namesIn(place)) {
    const path = `${place}/${name}`;
    if (TEMPORARY_ARCHIVE.test(name) && (await isAbandoned(path, run))) await files.remove(path);
  }
}

/** Whoever writes `file` holds it from now on, until it is closed. */
export async function hold(file: FileHandle, run: Run): Promise<'held' | 'taken' | 'unknown'> {
  const { status } = await run(['flock', '-n', '-E', '75', '3'], { descriptors: [file.fd], timeout: 10_000 });
  if (status === 0) return 'held';
  return status === 75 ? 'taken' : 'unknown'; // some file systems have no such locks
}

async function isAbandoned(path: string, run: Run): Promise<boolean> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return (await file.stat()).isFile() && (await hold(file, run)) === 'held';
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO'].includes(errnoOf(error) ?? '')) return false;
    throw diskError(error, 'open', path);
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw diskError(error, 'read', directory);
  }
}
