import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UpdaterError } from '../errors.ts';
import type { Method } from './copy.ts';
import { bytesOf, textOf, type Raw } from './paths.ts';
import type { BackupRecord } from './record.ts';
import type { Measured } from './survey.ts';

const MIB = 1024 ** 2;
/** A block for each entry, and a tenth more: directories, extended attributes, what the last block does not fill. */
const PER_COPY = 4096;
const RESERVE = 1.1;
/** A clone costs an inode and its list of extents. */
const PER_CLONE = 1024;

export interface Need {
  readonly what: string;
  /** On which file system: any path of it that is there. */
  readonly at: Raw;
  readonly bytes: number;
  readonly inodes: number;
}

interface Sized {
  readonly method: Method;
  readonly bytes: number;
  readonly entries: number;
}

export function spaceFor({ method, bytes, entries }: Sized): { readonly bytes: number; readonly inodes: number } {
  if (method === 'snapshot') return { bytes: MIB, inodes: 0 };
  if (method === 'reflink') return { bytes: MIB + entries * PER_CLONE, inodes: entries };
  return { bytes: Math.ceil((MIB + bytes + entries * PER_COPY) * RESERVE), inodes: entries };
}

/**
 * For the backup in `directory`, and beside each path for what a restore would lay there. Throws DISK_FULL that names what
 * each file system needs and has.
 */
export async function requireSpace(measured: readonly Measured[], directory: Raw): Promise<void> {
  const needs = measured.flatMap(({ path, real, kind, mount, method, totals }): Need[] => {
    const space = spaceFor({ method, ...totals });
    const beside = kind === 'directory' || mount === 'here' ? real : dirnameOf(real);
    return [
      { what: `the backup of ${path}`, at: directory, ...space },
      { what: `a restore of ${path}`, at: beside, ...space },
    ];
  });
  await requireRoom(needs);
}

/** For a restore alone. */
export async function requireRestoreSpace(needs: readonly Need[]): Promise<void> {
  await requireRoom(needs);
}

function dirnameOf(path: Raw): Raw {
  return dirname(path);
}

async function requireRoom(needs: readonly Need[]): Promise<void> {
  const systems = new Map<bigint, Need[]>();
  for (const need of needs) {
    const { dev } = await stat(bytesOf(need.at), { bigint: true });
    systems.set(dev, [...(systems.get(dev) ?? []), need]);
  }
  const told = await Promise.all([...systems.values()].map(describe));
  if (told.every(({ enough }) => enough)) return;
  throw new UpdaterError('DISK_FULL', `there is not enough room: ${told.map(({ text }) => text).join('; ')}`, {
    remedy:
      'Free space or inodes there (`df -h`, `df -i`), exclude what needs no backup, or set backup.directory elsewhere.',
  });
}

async function describe(needs: readonly Need[]): Promise<{ readonly enough: boolean; readonly text: string }> {
  const at = needs[0]?.at ?? '';
  const bytes = needs.reduce((sum, need) => sum + need.bytes, 0);
  const inodes = needs.reduce((sum, need) => sum + need.inodes, 0);
  const { bavail, bsize, files, ffree } = await statfs(bytesOf(at));
  const free = bavail * bsize;
  // btrfs makes inodes as they are needed, and says 0 of 0.
  const enough = free >= bytes && (files === 0 || ffree >= inodes);
  const text =
    `${needs.map(({ what }) => what).join(' and ')} need ${mebibytes(bytes)} and ${inodes} inodes on the file system of ` +
    `${textOf(at)}, where ${mebibytes(free)} and ${files === 0 ? 'any number of' : ffree} inodes are free`;
  return { enough, text };
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MIB)}M`;
}

/** Of an earlier backup: below so many entries or bytes it says nothing about speed. */
const TELLING = { entries: 1000, bytes: 64 * MIB };
/** Guesses on the slow side: a busy disk, and many small files. */
const GUESS = { bytesPerSecond: 40 * MIB, entriesPerSecond: 1000, snapshotSeconds: 5 };

/** How long the node will have to wait, in seconds: from what earlier backups took, else cautiously guessed. */
export function secondsFor(measured: readonly Sized[], earlier: readonly BackupRecord[]): number {
  const seconds = measured.map(({ method, bytes, entries }) => {
    if (method === 'snapshot') return GUESS.snapshotSeconds;
    const known = earlier.find((record) => tells(record, method));
    if (known === undefined) {
      const content = method === 'copy' ? bytes / GUESS.bytesPerSecond : 0;
      return content + entries / GUESS.entriesPerSecond;
    }
    const share = Math.max(entries / known.entries, method === 'copy' ? bytes / known.bytes : 0);
    return (known.took / 1000) * share;
  });
  return Math.ceil(seconds.reduce((sum, one) => sum + one, 0));
}

function tells(record: BackupRecord, method: Method): boolean {
  const large = record.entries >= TELLING.entries || (method === 'copy' && record.bytes >= TELLING.bytes);
  return large && record.bytes > 0 && record.paths.every((path) => path.method === method);
}

/** The most that copying so much may take, in milliseconds: far from any guess, against a disk that hangs. */
export function timeoutFor({ bytes, entries }: { readonly bytes: number; readonly entries: number }): number {
  return 600_000 + Math.ceil((bytes / MIB) * 1000) + entries * 20;
}
