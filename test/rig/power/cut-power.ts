/**
 * A node lives on a recorded disk; then its host's power is cut at many places of the recording. Of some of the disks that
 * this leaves a host is booted, which recovers; that is recorded too, and its power is cut in the same way.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findOpen } from '../../../src/machine/recover.ts';
import { makeLab, type Lab } from '../lab/lab.ts';
import { durableAt, type Entry } from './block-log.ts';
import { check } from './check.ts';
import type { Job, Mark, Report } from './checker.ts';
import { cutAt, drawFrom, type Cut, type Draw } from './cuts.ts';
import { treeDigest } from './disk-facts.ts';
import { makeDisk } from './disk.ts';
import { FILE_SYSTEMS, type FileSystem } from './file-systems.ts';
import { newDisk, oldDisk, type Placement, type RecordedDisk } from './recorded-disk.ts';
import { makeScratch } from './scratch.ts';
import { committedBy } from './verdict.ts';
import { watchLedger, type Watch } from './watch.ts';
import { calm, fill, liveThrough, type Act } from './workload.ts';

export interface Options {
  readonly fileSystem: FileSystem;
  /** What the node does, of workload.ts. */
  readonly life: readonly Act[];
  /** Distinct disks of the node's life, and of each recovery. */
  readonly disks: number;
  readonly disksOfRecovery: number;
  /** From which of the moments of MOMENTS a recovery is recorded. */
  readonly moments: readonly string[];
  readonly seed: number;
  /** `apart`: ledger and trust state are on another disk, which has kept what was flushed. No recoveries then. */
  readonly placement?: Placement;
  /** Done to the installed package first, as a shell script: to show that it would be found out. */
  readonly damage?: string;
}

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';

/** By the label of the mark: one cut in each kind of work, where the power is cut for a first and then a second time. */
export const MOMENTS: readonly string[] = [
  '2.0.0: intent soak',
  '1.0.0: intent soak',
  '2.0.0: intent stage',
  '2.0.0: intent activate',
  '2.0.0: intent commit',
  '3.0.0: intent start',
  '3.0.0: intent gate-old',
  'rollback: intent start',
];

export interface Outcome {
  readonly life: Report;
  readonly recoveries: readonly Report[];
  /** What a host that was booted from a cut disk did wrong in its recovery. */
  readonly wrongRecoveries: readonly string[];
}

interface Recording {
  readonly directory: string;
  readonly disk: RecordedDisk;
  readonly during: Job['during'];
  readonly from: number;
  readonly to: number;
  readonly entries: readonly Entry[];
  readonly marks: readonly Mark[];
}

export async function cutPower(options: Options): Promise<Outcome> {
  await using scratch = await makeScratch();
  const recordings: Recording[] = [];
  const wrong: string[] = [];
  const known = await recordAll(options, scratch.directory, recordings, wrong);
  const reports: Report[] = [];
  for (const recording of recordings) reports.push(await check(jobOf(recording, options, known)));
  const [life, ...recoveries] = reports;
  if (life === undefined) throw new Error('nothing was recorded');
  return { life, recoveries, wrongRecoveries: wrong };
}

type Known = Pick<Job, 'references' | 'dropIn' | 'ledger'>;

async function recordAll(options: Options, scratch: string, recordings: Recording[], wrong: string[]): Promise<Known> {
  const { fileSystem, seed, placement = 'together' } = options;
  const directory = join(scratch, 'life');
  let disk: RecordedDisk | undefined;
  await using lab = await makeLab({
    fill,
    prepare: async (outside) => {
      disk = await newDisk(directory, fileSystem, placement, outside);
    },
  });
  if (disk === undefined) throw new Error('the container was booted without its disk');
  if (options.damage !== undefined) await lab.host.sh(options.damage);
  await lab.configure({ soak: '1s' });
  await lab.host.sh('systemctl disable --quiet --now node-updater.timer; sync');
  const from = await disk.recorder.length();
  const life = await recordingOf({ directory, disk, from, during: 'transaction' }, lab, (watch) =>
    liveThrough(options.life, lab, watch),
  );
  const known = await knownOf(lab, placement);
  await lab.host.crash();
  await disk.remove();
  recordings.push(life);
  const draw = drawFrom(seed);
  for (const [n, moment] of options.moments.entries()) {
    const mark = life.marks.find(({ label }) => label === moment);
    if (mark === undefined) throw new Error(`the node was never at "${moment}"`);
    const first = await recover(life, mark, {
      lab,
      directory: join(scratch, `recovery-${n}`),
      draw,
      wrong,
      fileSystem,
    });
    const again = first.marks[Math.floor(draw() * first.marks.length)] as Mark;
    const second = { lab, directory: join(scratch, `recovery-${n}-again`), draw, wrong, fileSystem };
    recordings.push(first, await recover(first, again, second));
  }
  return known;
}

async function recordingOf(
  recording: Pick<Recording, 'directory' | 'disk' | 'from' | 'during'>,
  lab: Lab,
  work: (watch: Watch) => Promise<void>,
): Promise<Recording> {
  const { recorder } = recording.disk;
  const watch = watchLedger(lab.host.path(LEDGER), recorder);
  try {
    await work(watch);
  } finally {
    await watch.end();
  }
  return { ...recording, to: await recorder.length(), entries: await recorder.entries(), marks: watch.marks };
}

interface Recovery {
  readonly lab: Lab;
  readonly directory: string;
  readonly draw: Draw;
  readonly wrong: string[];
  readonly fileSystem: FileSystem;
}

/** Boots a host from a disk whose power was cut at `mark`, has it settle what was left, and records that. */
async function recover(before: Recording, mark: Mark, recovery: Recovery): Promise<Recording> {
  const { lab, directory, draw, wrong, fileSystem } = recovery;
  const durable = Math.max(durableAt(before.entries, mark.length), durableAt(before.entries, before.from));
  await mkdir(directory);
  await saveCut(
    before,
    cutAt(before.entries, durable, FILE_SYSTEMS[fileSystem].atom, draw),
    join(directory, 'disk.img'),
  );
  const disk = await oldDisk(directory, fileSystem, lab.host.outside);
  const recording = await recordingOf({ directory, disk, from: 0, during: 'recovery' }, lab, async (watch) => {
    await watch.phase(`${mark.label}, cut, recovery`);
    await lab.host.boot();
    await lab.host.sh('systemctl start node-updater@demo.service || true', { timeout: 120 });
    await calm(lab);
    wrong.push(...(await wrongAfter(lab)).map((what) => `${fileSystem}, cut at ${mark.label}: ${what}`));
    await watch.phase('recovered');
  });
  await lab.host.crash();
  await disk.remove();
  return recording;
}

async function saveCut({ disk, entries }: Recording, { durable, kept }: Cut, path: string): Promise<void> {
  const content = makeDisk(await readFile(disk.base));
  for (const entry of entries.slice(0, durable)) if (entry.kind === 'write') content.write(entry.sector, entry.data);
  for (const { sector, data } of kept) content.write(sector, data);
  content.save(path);
}

/** A recovered host runs what is committed, has settled what was open, and has nothing left lying about. */
async function wrongAfter(lab: Lab): Promise<string[]> {
  const records = await lab.ledger();
  const open = findOpen(records);
  const committed = committedBy(records) ?? '';
  const facts = await lab.facts();
  const running = committed === '' ? 'none' : committed;
  const wanted = { current: committed, fallback: '', running, leftovers: '' };
  const found = open === undefined ? [] : [`a transaction stays open at ${open.reached ?? 'its beginning'}`];
  for (const [name, value] of Object.entries(wanted)) {
    const is = facts[name as keyof typeof wanted];
    if (is !== value) found.push(`${name} is "${is}", not "${value}"`);
  }
  return found;
}

async function knownOf({ host, publisher }: Lab, placement: Placement): Promise<Known> {
  const references: Record<string, string> = {};
  for (const version of await readdir(join(publisher.root, 'trees')))
    references[version] = treeDigest(join(publisher.root, 'trees', version));
  return {
    references,
    dropIn: await readFile(host.path('/etc/systemd/system/demo.service.d/50-node-updater.conf'), 'utf8'),
    ...(placement === 'together' ? {} : { ledger: await readFile(host.path(LEDGER), 'utf8') }),
  };
}

function jobOf({ directory, disk, from, to, marks, during }: Recording, options: Options, known: Known): Job {
  const { fileSystem, seed } = options;
  const wanted = during === 'transaction' ? options.disks : options.disksOfRecovery;
  const work = join(directory, 'check');
  return { ...known, work, fileSystem, base: disk.base, log: disk.log, from, to, marks, during, wanted, seed };
}
