import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durableAt, parseLog, SECTOR, type Entry, type Write } from '../../rig/power/block-log.ts';
import { drawFrom, planCuts } from '../../rig/power/cuts.ts';
import { makeDisk } from '../../rig/power/disk.ts';

const PAGES = 4;
const SIZE = PAGES * 4096;

function writeOf(sector: number, byte: number, sectors: number): Write {
  return { kind: 'write', sector, data: Buffer.alloc(sectors * SECTOR, byte), end: 0 };
}

const writes = fc.array(
  fc.tuple(fc.nat(SIZE / SECTOR - 3), fc.nat(255), fc.integer({ min: 1, max: 3 })).map((three) => writeOf(...three)),
);

describe('a disk in memory', () => {
  it('is what it was, also by its digest, once what was written to it is taken back', () => {
    fc.assert(
      fc.property(writes, writes, (first, second) => {
        const bytes = Buffer.alloc(SIZE);
        const disk = makeDisk(bytes);
        for (const { sector, data } of first) disk.write(sector, data);
        const before = Buffer.from(bytes);
        const digest = disk.digest();
        const back = disk.remember();
        for (const { sector, data } of second) disk.write(sector, data);
        const same = bytes.equals(before);
        expect(disk.digest() === digest).toBe(same);
        back();
        expect(bytes.equals(before)).toBe(true);
        expect(disk.digest()).toBe(digest);
      }),
    );
  });

  it('is saved whole, with what was there before and what was written', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'disk-'));
    try {
      const bytes = Buffer.alloc(SIZE);
      bytes.fill(7, 4096, 5000);
      const disk = makeDisk(bytes);
      disk.write(20, Buffer.alloc(SECTOR, 9));
      disk.save(join(directory, 'image'));
      expect((await readFile(join(directory, 'image'))).equals(bytes)).toBe(true);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('the cuts of a log', () => {
  const flush: Entry = { kind: 'flush', end: 0 };
  const log = fc.array(
    fc.oneof(
      fc.constant(flush),
      fc.nat(20).map((sector): Entry => writeOf(sector, 1, 3)),
    ),
  );

  it('keep all that was flushed, and of the rest only what came before the next flush', () => {
    fc.assert(
      fc.property(log, fc.integer({ min: 1, max: 50 }), fc.nat(), (entries, wanted, seed) => {
        const cuts = planCuts(entries, 0, wanted, SECTOR, drawFrom(seed));
        expect(cuts[0]?.kept).toEqual([]);
        for (const { durable, kept } of cuts) {
          expect(durable === 0 || entries[durable - 1]?.kind === 'flush').toBe(true);
          const next = entries.findIndex(({ kind }, at) => at >= durable && kind === 'flush');
          const may = entries.slice(durable, next === -1 ? undefined : next) as Write[];
          for (const { sector, data } of kept) {
            const whole = may.find((write) => write.sector <= sector && sector < write.sector + 3);
            expect(whole !== undefined && data.length <= whole.data.length && data.length > 0).toBe(true);
          }
        }
        expect(cuts.map(({ durable }) => durable)).toEqual(cuts.map(({ durable }) => durable).sort((a, b) => a - b));
      }),
    );
  });
});

describe('a block log', () => {
  it('is read up to its last whole entry, and says what was durable at which of its lengths', () => {
    const sectors = Buffer.alloc(6 * SECTOR);
    sectors.writeBigUInt64LE(0x6a736677736872n, 0);
    sectors.writeUInt32LE(SECTOR, 24);
    sectors.writeBigUInt64LE(40n, SECTOR); // a write of one sector to sector 40
    sectors.writeBigUInt64LE(1n, SECTOR + 8);
    sectors.fill(5, 2 * SECTOR, 3 * SECTOR);
    sectors.writeBigUInt64LE(1n, 3 * SECTOR + 16); // a flush
    sectors.writeBigUInt64LE(2n, 4 * SECTOR + 8); // a write of which a part is missing
    const entries = parseLog(sectors);
    expect(entries).toEqual([
      { kind: 'write', sector: 40, data: Buffer.alloc(SECTOR, 5), end: 3 * SECTOR },
      { kind: 'flush', end: 4 * SECTOR },
    ]);
    expect([3, 4, 5].map((length) => durableAt(entries, length * SECTOR))).toEqual([0, 2, 2]);
  });

  it('that says what no disk of ours does is refused', () => {
    const discard = Buffer.alloc(2 * SECTOR);
    discard.writeBigUInt64LE(4n, SECTOR + 16);
    expect(() => parseLog(discard)).toThrow(/flags 4/);
  });
});
