/** fetch + verify + unpack against `curl; gpgv; tar -x`, of the same archive, on the same disk, in turn. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from './figures.ts';
import { measure, medianCost, type Cost } from './measure.ts';
import { openRooms, setAside, type Rooms } from './ours.ts';
import { openReleases, type Release, type Releases } from './releases.ts';
import { run } from '../../src/host/run.ts';

const TARGET = 1.3;

interface Sums {
  readonly ours: Cost;
  readonly oursWithoutSync: Cost;
  readonly fetch: Cost;
  readonly supply: Cost;
  readonly supplyWithoutSync: Cost;
  readonly peer: Cost;
  readonly peerWithSync: Cost;
}

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
  const { rooms } = bench;
  const all: { [Name in keyof Sums]: Cost[] } = {
    ours: [],
    oursWithoutSync: [],
    fetch: [],
    supply: [],
    supplyWithoutSync: [],
    peer: [],
    peerWithSync: [],
  };
  for (let round = 0; round < bench.rounds; round++) {
    for (const durability of ['durable', 'no final sync'] as const) {
      await settle(bench);
      const fetch = await rooms.fetch(release);
      const supply = await rooms.supply(release, durability);
      all[durability === 'durable' ? 'ours' : 'oursWithoutSync'].push(plus(fetch, supply));
      all.fetch.push(fetch);
      all[durability === 'durable' ? 'supply' : 'supplyWithoutSync'].push(supply);
      await settle(bench);
      all[durability === 'durable' ? 'peerWithSync' : 'peer'].push(await peer(release, bench, durability));
    }
  }
  return {
    ours: medianCost(all.ours),
    oursWithoutSync: medianCost(all.oursWithoutSync),
    fetch: medianCost(all.fetch),
    supply: medianCost(all.supply),
    supplyWithoutSync: medianCost(all.supplyWithoutSync),
    peer: medianCost(all.peer),
    peerWithSync: medianCost(all.peerWithSync),
  };
}

/** Nobody pays for what another left to be written, or for its files. */
async function settle({ rooms, work }: Bench): Promise<void> {
  rooms.clear();
  setAside(join(work, 'peer'));
  await measure(['sync', '-f', work]);
}

async function peer(release: Release, { releases, keyring, work }: Bench, durability: string): Promise<Cost> {
  const directory = join(work, 'peer');
  mkdirSync(directory);
  const name = release.archive.split('/').at(-1) ?? '';
  const script = `set -e; cd ${directory}
curl -sSf -o a ${releases.origin}/${release.version}/${name}
curl -sSf -o a.asc ${releases.origin}/${release.version}/${name}.asc
gpgv -q --keyring ${keyring} a.asc a
mkdir tree; tar -xf a -C tree
${durability === 'durable' ? 'sync -f tree' : ''}
`;
  const file = join(work, 'peer.sh');
  writeFileSync(file, script);
  return measure(['sh', file]);
}

function plus(a: Cost, b: Cost): Cost {
  return { wall: a.wall + b.wall, cpu: a.cpu + b.cpu };
}

function figuresOf(format: string, release: Release, sums: Sums): Figure[] {
  const { ours, oursWithoutSync, peer, peerWithSync, fetch, supply, supplyWithoutSync } = sums;
  const size = `${String(Math.round(release.artifact.size / 1e6))} MB`;
  const name = `fetch + verify + unpack, 500 MB, 9,000 files, ${format} (${size})`;
  const parts = `fetch room ${shown(fetch)}, verify + stage ${shown(supply)}`;
  const against = (a: Cost, b: Cost) => `${shown(a)} to ${shown(b)}`;
  return [
    {
      name: `${name}: wall to curl; gpgv; tar -x`,
      value: ours.wall / peer.wall,
      target: TARGET,
      detail: against(ours, peer),
    },
    { name: `${name}: CPU to the same`, value: ours.cpu / peer.cpu, target: TARGET, detail: parts },
    {
      name: `  the same without our final sync: wall`,
      value: oursWithoutSync.wall / peer.wall,
      detail: against(oursWithoutSync, peer),
    },
    {
      name: `  the same with sync -f after tar: wall`,
      value: ours.wall / peerWithSync.wall,
      detail: against(ours, peerWithSync),
    },
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
