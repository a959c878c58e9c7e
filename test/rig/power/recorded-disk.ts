/** The disk that a container keeps its node on: everything that decides about the node, on one file system that is recorded. */
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Outside } from '../container/container.ts';
import { mustRun, run } from '../container/process.ts';
import { SECTOR, type Entry } from './block-log.ts';
import { FILE_SYSTEMS, type FileSystem } from './file-systems.ts';
import { record, type Recorder } from './recorder.ts';

/**
 * Versions and links, and what systemd is told of the node; with them, or on another disk that is not recorded, ledger and
 * trust state. Where all is on one, each flush of the ledger is one of the links too, and hides that they had none.
 */
const PLACES = {
  together: ['/opt', '/etc/systemd/system', '/var/lib/node-updater'],
  apart: ['/opt', '/etc/systemd/system'],
} as const;
export type Placement = keyof typeof PLACES;

export interface RecordedDisk {
  readonly recorder: Recorder;
  /** The disk as it was before the first entry of the log, and the log. */
  readonly base: string;
  readonly log: string;
  /** Takes the disk out of the container, which is down. */
  remove(): Promise<void>;
}

/** An empty one, formatted and filled with what the container has in these places so far. */
export async function newDisk(
  directory: string,
  fileSystem: FileSystem,
  placement: Placement,
  outside: Outside,
): Promise<RecordedDisk> {
  const places = PLACES[placement];
  const image = join(directory, 'disk.img');
  const { size, format } = FILE_SYSTEMS[fileSystem];
  await mkdir(directory);
  await writeFile(image, '');
  await truncate(image, size);
  await mustRun([...format, image]);
  return insert(directory, fileSystem, places, outside, async (mounted) => {
    for (const place of places) {
      await outside.run(['mkdir', '-p', mounted + place]);
      await outside.run(['cp', '-a', '-T', outside.root + place, mounted + place]);
    }
  });
}

/** One that a power cut left: `image` is moved into place. */
export function oldDisk(directory: string, fileSystem: FileSystem, outside: Outside): Promise<RecordedDisk> {
  return insert(directory, fileSystem, PLACES.together, outside, () => Promise.resolve());
}

async function insert(
  directory: string,
  fileSystem: FileSystem,
  places: readonly string[],
  outside: Outside,
  fill: (mounted: string) => Promise<void>,
): Promise<RecordedDisk> {
  const base = join(directory, 'base.img');
  await mustRun(['cp', '--sparse=always', join(directory, 'disk.img'), base]);
  const recorder = await record(directory);
  const mounted = join(dirname(outside.root), 'recorded');
  await outside.run(['mkdir', '-p', mounted]);
  await outside.run(['mount', '-t', fileSystem, '-o', FILE_SYSTEMS[fileSystem].options, recorder.device, mounted]);
  await fill(mounted);
  for (const place of places) await outside.run(['mount', '--bind', mounted + place, outside.root + place]);
  return {
    recorder,
    base,
    log: join(directory, 'log'),
    remove: async () => {
      for (const place of [...places].reverse()) await outside.run(['umount', outside.root + place]);
      await outside.run(['umount', mounted]);
      await recorder.stop();
      await proveRecording(directory, await recorder.entries());
      // The kernel remembers a btrfs by its id, and the next disk has the same.
      if (fileSystem === 'btrfs') await run(['btrfs', 'device', 'scan', '--forget']);
    },
  };
}

/** What is not on the disk in the end, or not in the log, would make all that follows a proof of nothing. */
async function proveRecording(directory: string, entries: readonly Entry[]): Promise<void> {
  const bytes = await readFile(join(directory, 'base.img'));
  for (const entry of entries) if (entry.kind === 'write') entry.data.copy(bytes, entry.sector * SECTOR);
  if (!bytes.equals(await readFile(join(directory, 'disk.img'))))
    throw new Error('the log is not what was written to the disk');
}
