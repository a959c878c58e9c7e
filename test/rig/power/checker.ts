/**
 * Cuts the power at many places of a block log: `node checker.ts JOB`, in a mount namespace of its own, so that what it
 * has mounted ends with it, in whatever way it ends. The last line that it prints is a Report. Ends early when its
 * standard input does.
 */
import { rmSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLedger, type LedgerText } from '../../../src/machine/ledger.ts';
import { mustRun } from '../container/process.ts';
import { parseLog, durableAt, type Entry } from './block-log.ts';
import { fallbackAtBoot, type Boot } from './boot.ts';
import { drawFrom, planCuts, type Cut, type Draw } from './cuts.ts';
import { linksOf, NODE, readDisk, type DiskFacts } from './disk-facts.ts';
import { makeDisk, type Disk } from './disk.ts';
import { FILE_SYSTEMS, type FileSystem } from './file-systems.ts';
import { violationsOf, type Promised, type Seen } from './verdict.ts';

/** What somebody could know when the log had `length` bytes. */
export interface Mark extends Promised {
  readonly length: number;
  /** What was going on from then on. */
  readonly label: string;
}

export interface Job {
  /** Ours alone, and empty. */
  readonly work: string;
  readonly fileSystem: FileSystem;
  /** The disk as it was before the first entry of the log. */
  readonly base: string;
  readonly log: string;
  /** Length of the log from which on the power is cut, and up to which. */
  readonly from: number;
  readonly to: number;
  readonly marks: readonly Mark[];
  readonly during: 'transaction' | 'recovery';
  readonly references: Readonly<Record<string, string>>;
  readonly dropIn: string;
  /** What the ledger said in the end, where it is not on this disk: then the power is cut at each mark. */
  readonly ledger?: string;
  /** Distinct disks. */
  readonly wanted: number;
  readonly seed: number;
}

export interface Report {
  /** Flushes between which the power was cut. */
  readonly flushes: number;
  /** Distinct disks that were mounted and looked at. */
  readonly disks: number;
  readonly violations: readonly string[];
  readonly seconds: number;
  /** How many disks fell into what was going on. */
  readonly during: Readonly<Record<string, number>>;
}

/** Random cuts can meet disks that were seen already. */
const PASSES = 8;
const UNMARKED: Mark = { length: 0, label: 'before the first mark', records: 0 };

async function checkLog(job: Job): Promise<Report> {
  const began = Date.now();
  const all = parseLog(await readFile(job.log));
  const entries = all.slice(0, all.findLastIndex(({ end }) => end <= job.to) + 1);
  const start = durableAt(entries, job.from);
  const base = await readFile(job.base);
  const boot = await fallbackAtBoot(NODE);
  const mounted = await mountPoints(job);
  const digests = new Set<string>();
  /** By the number of durable entries: what a power cut left that lost all it could. */
  const floors = new Map<number, DiskFacts>();
  const violations: string[] = [];
  const during: Record<string, number> = {};
  for (let pass = 0; pass < PASSES && digests.size < job.wanted; pass++) {
    const moments = momentsOf(job, entries, start, job.wanted - digests.size, drawFrom(job.seed + pass));
    const disk = makeDisk(Buffer.from(base));
    let floor: DiskFacts | undefined;
    for (const [{ cut, mark, ledgers }, content] of disksOf(disk, entries, moments)) {
      const digest = ledgers.length === 0 ? content : `${content} ${mark.records}`;
      if (!digests.has(digest)) {
        digests.add(digest);
        during[mark.label] = (during[mark.label] ?? 0) + 1;
        const said = await inspect(disk, { job, mounted, boot, floor, mark, ledgers });
        for (const violation of said.violations) violations.push(`${placeOf(job, cut, mark)}: ${violation}`);
        if (cut.kept.length === 0 && said.disk !== undefined) floors.set(cut.durable, said.disk);
      }
      if (cut.kept.length === 0 && ledgers.length === 0) floor = floors.get(cut.durable) ?? floor;
    }
  }
  const flushes = entries.slice(start).filter(({ kind }) => kind === 'flush').length;
  return { flushes, disks: digests.size, violations, seconds: (Date.now() - began) / 1000, during };
}

/** The disk itself, once for each cut. */
function* disksOf(disk: Disk, entries: readonly Entry[], moments: readonly Moment[]): Generator<[Moment, string]> {
  let written = 0;
  for (const moment of moments) {
    const { cut } = moment;
    for (; written < cut.durable; written++) {
      const entry = entries[written];
      if (entry?.kind === 'write') disk.write(entry.sector, entry.data);
    }
    const back = disk.remember();
    for (const { sector, data } of cut.kept) disk.write(sector, data);
    yield [moment, disk.digest()];
    back();
  }
}

interface Place {
  readonly job: Job;
  readonly mounted: string;
  readonly boot: Boot;
  readonly floor: DiskFacts | undefined;
  readonly mark: Mark;
  readonly ledgers: readonly LedgerText[];
}

async function inspect(disk: Disk, place: Place): Promise<{ violations: readonly string[]; disk?: DiskFacts }> {
  const { job, floor, mark, ledgers } = place;
  const image = join(job.work, 'cut.img');
  disk.save(image);
  const seen = await look(image, place);
  if (typeof seen === 'string') return { violations: [`it cannot be mounted and read: ${seen}`] };
  const references = new Map(Object.entries(job.references));
  const expected = { references, dropIn: job.dropIn, floor, promise: mark };
  if (ledgers.length === 0) return { violations: violationsOf(seen, expected), disk: seen.disk };
  // Each of them may be the one that this host would find; what is wrong with all of them is wrong.
  const found = ledgers.map((value) => {
    const disk = { ...seen.disk, ledger: { value }, serial: { value: Number.MAX_SAFE_INTEGER } };
    return violationsOf({ ...seen, disk }, { ...expected, floor: undefined });
  });
  return { violations: found.find((violations) => violations.length === 0) ?? found[0] ?? [] };
}

/** Mounting replays the journal; what could not even be mounted is a violation, and why. */
async function look(image: string, { job, mounted, boot }: Place): Promise<Seen | string> {
  const { options } = FILE_SYSTEMS[job.fileSystem];
  try {
    await mustRun(['mount', '-t', job.fileSystem, '-o', `loop,${options}`, image, mounted]);
  } catch (error) {
    return String(error);
  }
  try {
    const disk = await readDisk(mounted);
    await boot();
    return { disk, booted: await linksOf(mounted) };
  } catch (error) {
    return String(error);
  } finally {
    await mustRun(['umount', mounted]);
    // It would take the next disk, which is older, for a stale part of this one.
    if (job.fileSystem === 'btrfs') await mustRun(['btrfs', 'device', 'scan', '--forget']);
  }
}

/** /opt/NODE, where the fallback looks, becomes the disk's. Seen by nobody else: this mount namespace is ours. */
async function mountPoints({ work }: Job): Promise<string> {
  const mounted = join(work, 'mounted');
  await mkdir(mounted, { recursive: true });
  await mustRun(['mount', '-t', 'tmpfs', 'checker', '/opt']);
  await symlink(`${mounted}/opt/${NODE}`, `/opt/${NODE}`);
  return mounted;
}

function placeOf({ fileSystem, during }: Job, { durable, kept, of }: Cut, { label }: Mark): string {
  return `${fileSystem}, ${during}, ${label}, ${durable} entries durable and ${kept.length} of ${of} kept`;
}

interface Moment {
  readonly cut: Cut;
  readonly mark: Mark;
  /** What another disk may have kept of the ledger; none where it is on this one. */
  readonly ledgers: readonly LedgerText[];
}

function momentsOf(job: Job, entries: readonly Entry[], start: number, wanted: number, draw: Draw): Moment[] {
  const { atom } = FILE_SYSTEMS[job.fileSystem];
  const at = (length: number): number => Math.max(start, durableAt(entries, length));
  if (job.ledger === undefined) {
    const marks = job.marks.map((mark) => ({ ...mark, durable: at(mark.length) }));
    return planCuts(entries, start, wanted, atom, draw).map((cut) => {
      const mark = marks.findLast(({ durable }) => durable <= cut.durable) ?? UNMARKED;
      return { cut, mark, ledgers: [] };
    });
  }
  const whole = parseLedger(Buffer.from(job.ledger), 'the ledger');
  const each = Math.ceil(wanted / job.marks.length);
  return job.marks.flatMap((mark, n) => {
    // The record that was seen last may be lost; until the next look others may have come.
    const last = job.marks[n + 1]?.records ?? whole.records.length;
    const counts = Array.from({ length: last - mark.records + 2 }, (_, more) => mark.records + more);
    const ledgers = counts.map((count) => ({ ...whole, records: whole.records.slice(0, count) }));
    const written = entries.slice(0, entries.findLastIndex(({ end }) => end <= mark.length) + 1);
    const cuts = planCuts(written, at(mark.length), each, atom, draw);
    return cuts.map((cut) => ({ cut, mark, ledgers }));
  });
}

const job = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as Job;
process.stdin.on('end', () => process.exit(1)).resume();
try {
  console.log(JSON.stringify(await checkLog(job)));
} finally {
  rmSync(job.work, { recursive: true, force: true });
}
process.exit(0);
