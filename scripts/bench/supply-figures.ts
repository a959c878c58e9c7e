/** fetch + verify + unpack against `curl; gpgv; tar -x`, of the same archive, in turn, each on a disk of its own. */
import { join } from 'node:path';
import { freshDisk } from './disk.ts';
import type { Figure } from './figures.ts';
import { medianCost, type Cost } from './measure.ts';
import { peer } from './peers.ts';
import { openRooms, type Rooms } from './ours.ts';
import { openReleases, type Release, type Releases } from './releases.ts';
import type { Job } from './supply.ts';
import { run } from '../../src/host/run.ts';

const TARGET = 1.3;

type Durability = Job['durability'];

const MEASURED = [
  'fetch',
  'supply',
  'ours',
  'supplyWithoutSync',
  'oursWithoutSync',
  'plain',
  'durable',
  'as careful',
] as const;
type Sums = Readonly<Record<(typeof MEASURED)[number], Cost>>;

export async function supplyFigures(work: string, rounds: number): Promise<Figure[]> {
  await using releases = await openReleases(work);
  const { key } = releases.publisher;
  const keyring = join(work, 'keyring.gpg');
  await run(['gpg', '--batch', '--dearmor', '-o', keyring, key.file], { env: { PATH: '/usr/bin:/bin', HOME: work } });
  using rooms = await openRooms(work, releases.origin, key);
  const figures: Figure[] = [];
  for (const [format, level] of [['tar.zst', 9] as const, ['tar.gz', 6] as const]) {
    const shape = { version: `1.0.0-${format}`, content: 'mixed' as const, files: 9000, bytes: 500_000_000 };
    const release = await releases.make({ ...shape, format, level });
    const sums = await compare(release, { rooms, keyring, work, releases, rounds });
    figures.push(...figuresOf(format, release, sums));
  }
  return figures;
}

interface Bench {
  readonly rooms: Rooms;
  readonly releases: Releases;
  readonly keyring: string;
  readonly work: string;
  readonly rounds: number;
}

async function compare(release: Release, bench: Bench): Promise<Sums> {
  const all = new Map(MEASURED.map((name) => [name, [] as Cost[]]));
  const keep = (name: keyof Sums, cost: Cost) => all.get(name)?.push(cost);
  const place = { ...bench, origin: bench.releases.origin };
  for (let round = 0; round < bench.rounds; round++) {
    const { fetch, supply } = await ours(release, bench, 'durable');
    keep('fetch', fetch);
    keep('supply', supply);
    keep('ours', plus(fetch, supply));
    keep('plain', await peer('plain', release, place));
    const without = await ours(release, bench, 'no final sync');
    keep('supplyWithoutSync', without.supply);
    keep('oursWithoutSync', plus(without.fetch, without.supply));
    keep('durable', await peer('durable', release, place));
    keep('as careful', await peer('as careful', release, place));
  }
  return Object.fromEntries([...all].map(([name, costs]) => [name, medianCost(costs)])) as Sums;
}

async function ours(
  release: Release,
  { rooms, work }: Bench,
  durability: Durability,
): Promise<{ fetch: Cost; supply: Cost }> {
  await using disk = await freshDisk(work);
  rooms.moveTo(disk.directory);
  return { fetch: await rooms.fetch(release), supply: await rooms.supply(release, durability) };
}

function plus(a: Cost, b: Cost): Cost {
  return { wall: a.wall + b.wall, cpu: a.cpu + b.cpu };
}

function figuresOf(format: string, release: Release, sums: Sums): Figure[] {
  const { ours, oursWithoutSync, plain, durable, fetch, supply, supplyWithoutSync } = sums;
  const careful = sums['as careful'];
  const size = `${String(Math.round(release.artifact.size / 1e6))} MB`;
  const name = `fetch + verify + unpack, 500 MB, 9,000 files, ${format} (${size})`;
  const parts = `fetch room ${shown(fetch)}, verify + stage ${shown(supply)}`;
  const against = (a: Cost, b: Cost) => `${shown(a)} to ${shown(b)}`;
  return [
    {
      name: `${name}: wall to curl; gpgv; tar -x`,
      value: ours.wall / plain.wall,
      target: TARGET,
      detail: against(ours, plain),
    },
    { name: `${name}: CPU to the same`, value: ours.cpu / plain.cpu, target: TARGET, detail: parts },
    {
      name: `  the same without our final sync: wall`,
      value: oursWithoutSync.wall / plain.wall,
      detail: against(oursWithoutSync, plain),
    },
    {
      name: `  the same with sync -f after tar: wall`,
      value: ours.wall / durable.wall,
      detail: against(ours, durable),
    },
    {
      name: `  to standard tools that check as much (digest, headers, listing, sync): wall`,
      value: ours.wall / careful.wall,
      detail: against(ours, careful),
    },
    { name: `  CPU to the same`, value: ours.cpu / careful.cpu },
    {
      name: `  what durability costs: verify + stage with it to without, wall`,
      value: supply.wall / supplyWithoutSync.wall,
      detail: against(supply, supplyWithoutSync),
    },
  ];
}

function shown({ wall, cpu }: Cost): string {
  return `${(wall / 1000).toFixed(2)} s (CPU ${(cpu / 1000).toFixed(2)} s)`;
}
