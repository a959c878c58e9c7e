/** The content of a disk in memory: writes are applied to it, and can be undone; each state of it has a digest. */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { SECTOR } from './block-log.ts';

export interface Disk {
  write(sector: number, data: Buffer): void;
  /** From here on what is written can be taken back, once, by calling what is returned. */
  remember(): () => void;
  /** The same for two states with the same content, and practically never for others. */
  digest(): string;
  /** Writes an image, with holes where there is nothing. */
  save(path: string): void;
}

const PAGE = 4096;
const RUN = 256;
const EMPTY = Buffer.alloc(PAGE);

/** Takes `bytes` over. */
export function makeDisk(bytes: Buffer): Disk {
  const used = usedPages(bytes);
  /** Of the pages that were ever written. Their exclusive or, with that of the pages as they were at first, is the digest. */
  const hashes = new Map<number, bigint>();
  const changed = new Set<number>();
  let sum = 0n;
  let before: Map<number, Buffer> | undefined;
  const page = (index: number): Buffer => bytes.subarray(index * PAGE, (index + 1) * PAGE);
  const touch = (index: number): void => {
    if (!hashes.has(index)) hashes.set(index, hashOf(index, page(index)));
    if (before?.has(index) === false) before.set(index, Buffer.from(page(index)));
    changed.add(index);
    used[index] = 1;
  };
  return {
    write(sector, data) {
      const from = sector * SECTOR;
      const last = Math.floor((from + data.length - 1) / PAGE);
      for (let index = Math.floor(from / PAGE); index <= last; index++) touch(index);
      data.copy(bytes, from);
    },
    remember() {
      const kept = new Map<number, Buffer>();
      before = kept;
      return () => {
        before = undefined;
        for (const [index, content] of kept) {
          content.copy(bytes, index * PAGE);
          changed.add(index);
        }
      };
    },
    digest() {
      for (const index of changed) {
        const hash = hashOf(index, page(index));
        sum ^= hash ^ (hashes.get(index) ?? 0n);
        hashes.set(index, hash);
      }
      changed.clear();
      return sum.toString(16);
    },
    save: (path) => {
      save(path, bytes, used);
    },
  };
}

function usedPages(bytes: Buffer): Uint8Array {
  const used = new Uint8Array(bytes.length / PAGE);
  for (let index = 0; index < used.length; index++) {
    if (bytes.compare(EMPTY, 0, PAGE, index * PAGE, (index + 1) * PAGE) !== 0) used[index] = 1;
  }
  return used;
}

function hashOf(index: number, content: Buffer): bigint {
  return createHash('sha256').update(`${index} `).update(content).digest().readBigUInt64LE(0);
}

function save(path: string, bytes: Buffer, used: Uint8Array): void {
  const file = openSync(path, 'w');
  try {
    ftruncateSync(file, bytes.length);
    for (let index = 0; index < used.length; index++) {
      if (used[index] === 0) continue;
      const first = index;
      while (index < used.length && used[index] === 1 && index - first < RUN) index++;
      writeSync(file, bytes, first * PAGE, (index - first) * PAGE, first * PAGE);
      index--;
    }
  } finally {
    closeSync(file);
  }
}
