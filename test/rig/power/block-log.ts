/**
 * The log of a recorded disk, in the format of the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst),
 * as QEMU's blklogwrites writes it: a super block, then one sector for each entry and the data after it, all little-endian.
 */

export interface Write {
  readonly kind: 'write';
  /** The first sector, of 512 bytes. */
  readonly sector: number;
  readonly data: Buffer;
  /** Where the entry ends in the log. */
  readonly end: number;
}

/** When it was answered, every write that stands before it was on the disk for good. */
export interface Flush {
  readonly kind: 'flush';
  readonly end: number;
}

export type Entry = Write | Flush;

export const SECTOR = 512;
const MAGIC = 0x6a736677736872n;
const FLUSH = 1n;
const ENTRY_SIZE = 32;

/** All entries that are whole: who reads while it is written may see a part of the last one. */
export function parseLog(bytes: Buffer): Entry[] {
  if (bytes.length < SECTOR) return [];
  const magic = bytes.readBigUInt64LE(0);
  // The super block comes with the first flush.
  if (magic !== 0n && (magic !== MAGIC || bytes.readUInt32LE(24) !== SECTOR)) throw new Error('this is no block log');
  const entries: Entry[] = [];
  let at = SECTOR;
  while (at + ENTRY_SIZE <= bytes.length) {
    const entry = entryAt(bytes, at);
    if (entry === undefined) break;
    entries.push(entry);
    at = entry.end;
  }
  return entries;
}

function entryAt(bytes: Buffer, at: number): Entry | undefined {
  const sector = Number(bytes.readBigUInt64LE(at));
  const size = Number(bytes.readBigUInt64LE(at + 8)) * SECTOR;
  const flags = bytes.readBigUInt64LE(at + 16);
  const start = at + SECTOR;
  const end = start + size;
  if (end > bytes.length) return undefined;
  if (flags === FLUSH && size === 0) return { kind: 'flush', end };
  // Discards are switched off, a loop device has no FUA, and nobody sets marks.
  if (flags !== 0n || size === 0) throw new Error(`an entry with flags ${String(flags)} and ${size} bytes at ${at}`);
  return { kind: 'write', sector, data: bytes.subarray(start, end), end };
}

/** How many entries are on the disk for good when the log has `bytes` bytes: those up to its last flush. */
export function durableAt(entries: readonly Entry[], bytes: number): number {
  return entries.findLastIndex(({ kind, end }) => kind === 'flush' && end <= bytes) + 1;
}
