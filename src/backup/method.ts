import { constants } from 'node:fs';
import { open, statfs, type FileHandle } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { Run } from '../host/ports.ts';
import type { BackupSettings } from '../settings.ts';
import { removeOurs, type Method } from './copy.ts';
import { bytesOf, openDirectory, rawOf, realOf, type Raw } from './paths.ts';

/** statfs(2) */
const BTRFS = 0x9123683e;
/** Of the root of every subvolume. */
const SUBVOLUME_INODE = 256n;

export interface Candidate {
  readonly path: Raw;
  readonly kind: 'directory' | 'file';
  readonly inode: bigint;
  /** A regular file with content, to try a clone of; undefined when there is none. */
  readonly sample: Raw | undefined;
}

/** The best way from a path into `directory` that works. Throws BACKUP_REFUSED when only another was allowed. */
export async function chooseMethod(
  candidate: Candidate,
  directory: string,
  wanted: BackupSettings['method'],
  run: Run,
): Promise<Method> {
  if (wanted === 'copy') return 'copy';
  const clones = candidate.sample !== undefined && (await canClone(candidate.sample, directory, run));
  const subvolume = candidate.kind === 'directory' && candidate.inode === SUBVOLUME_INODE;
  const snapshots = wanted !== 'reflink' && clones && subvolume && (await hasSnapshots(candidate.path, run));
  if (snapshots) return 'snapshot';
  if (clones && wanted !== 'snapshot') return 'reflink';
  // Without content there is nothing to clone, and nothing that a copy could cost.
  if (wanted === 'auto' || (wanted === 'reflink' && candidate.sample === undefined)) return 'copy';
  throw new UpdaterError('BACKUP_REFUSED', `no ${wanted} of ${candidate.path} can be made in ${directory}`, {
    remedy:
      `Put backup.directory on the file system of the data (btrfs, or xfs with reflink${wanted === 'snapshot' ? '; a snapshot needs a btrfs subvolume and btrfs-progs' : ''}), ` +
      'or set backup.method = "auto".',
  });
}

export async function isSubvolume(path: Raw, inode: bigint): Promise<boolean> {
  return inode === SUBVOLUME_INODE && (await statfs(bytesOf(path))).type === BTRFS;
}

async function hasSnapshots(path: Raw, run: Run): Promise<boolean> {
  if ((await statfs(bytesOf(path))).type !== BTRFS) return false;
  try {
    return (await run(['btrfs', '--version'], { timeout: 10_000 })).status === 0;
  } catch (error) {
    if (error instanceof UpdaterError && error.code === 'HOST_TOOL') return false;
    throw error;
  }
}

const PROBE = '.clone-probe';

/** Tried on one file: whether the kernel can is known by no other way. */
export async function canClone(sample: Raw, directory: string, run: Run): Promise<boolean> {
  await using from = await openSample(sample);
  if (from === undefined) return false;
  await using into = await openDirectory(await realOf(rawOf(directory)));
  await removeOurs(rawOf(`${directory}/${PROBE}`), run);
  const command = ['cp', '--reflink=always', '--', '/proc/self/fd/3', `/proc/self/fd/4/${PROBE}`];
  const { status } = await run(command, { timeout: 60_000, descriptors: [from.fd, into.fd] });
  await removeOurs(rawOf(`${directory}/${PROBE}`), run);
  return status === 0;
}

async function openSample(sample: Raw): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return ifThere(open(bytesOf(sample), flags), undefined);
}
