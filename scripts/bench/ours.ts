/** Our rooms as they run on a host: the bundle, on the private Node, with the flags of their units. */
import { build } from 'esbuild';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FetchOrder } from '../../src/orders.ts';
import { parseNodeName, type NodeName } from '../../src/release.ts';
import type { TrustedKey } from '../../src/settings.ts';
import { measure, type Cost } from './measure.ts';
import type { Release } from './releases.ts';
import type { Job } from './supply.ts';

const ROOT = join(import.meta.dirname, '../..');
const NODE = process.execPath;
const HOUR = 3_600_000;

export interface Rooms extends Disposable {
  readonly node: NodeName;
  /** The fetch room brings archive and signature into the cache directory. */
  fetch(release: Release): Promise<Cost>;
  /** The transaction's `verify` and `stage`, on what fetch() has left. */
  supply(release: Release, durability: Job['durability']): Promise<Cost>;
  /** MiB: the peak of the last run of each. */
  peaks(): { fetch: number; supply: number };
  /** From now on they work below this directory; what they made elsewhere stays there. */
  moveTo(directory: string): void;
}

/** @param work a directory of ours  @param origin where the releases are served */
export async function openRooms(work: string, origin: string, key: TrustedKey): Promise<Rooms> {
  const program = await bundleSupply(work);
  const node = parseNodeName(`bench-${String(process.pid)}`);
  if (node === undefined) throw new Error('no name for the node');
  let root = join(work, 'host');
  const cacheIn = () => join(root, 'var/cache/node-updater', node);
  const orders = join('/run/node-updater', node);
  const peakFiles = { fetch: join(work, 'peak-fetch'), supply: join(work, 'peak-supply') };
  const preload = join(work, 'peak.cjs');
  writeFileSync(preload, PRELOAD);
  const peaked = (file: string) => ({ ...process.env, NODE_OPTIONS: `--require=${preload}`, BENCH_PEAK: file });
  return {
    node,
    fetch: (release) => {
      const cache = cacheIn();
      mkdirSync(cache, { recursive: true });
      mkdirSync(orders, { recursive: true });
      chmodSync(cache, 0o750);
      writeFileSync(join(orders, 'fetch.json'), JSON.stringify(orderFor(release, origin)));
      const command = [NODE, ...flagsOf('node-updater-fetch@.service'), join(ROOT, 'dist/lib/main.mjs'), 'fetch', node];
      const env = {
        ...peaked(peakFiles.fetch),
        ...environmentOf('node-updater-fetch@.service'),
        CACHE_DIRECTORY: cache,
      };
      return measure(command, env);
    },
    supply: ({ version, artifact, digest, binary }, durability) => {
      const job: Job = { root, node, version, artifact, digest, binary, key, origin, durability };
      const file = join(work, 'job.json');
      writeFileSync(file, JSON.stringify(job));
      const flags = flagsOf('node-updater@.service');
      return measure([NODE, ...flags, program, file], peaked(peakFiles.supply));
    },
    peaks: () => ({ fetch: peakIn(peakFiles.fetch), supply: peakIn(peakFiles.supply) }),
    moveTo: (directory) => {
      root = join(directory, 'host');
    },
    [Symbol.dispose]: () => {
      rmSync(orders, { recursive: true, force: true });
    },
  };
}

// Written at the very end, when the kernel's own high-water mark says all.
const PRELOAD = `const fs = require('node:fs');
process.on('exit', () => {
  const peak = /VmHWM:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'));
  fs.writeFileSync(process.env.BENCH_PEAK, peak[1]);
});
`;

function peakIn(file: string): number {
  return Number(readFileSync(file, 'utf8')) / 1024;
}

/** The options between Node and the bundle in the unit's ExecStart=. */
function flagsOf(unit: string): string[] {
  const text = readFileSync(join(ROOT, 'units', unit), 'utf8');
  const line = /^ExecStart=\S+\/node ((?:--\S+ )*)\S+\/main\.mjs/m.exec(text);
  if (line === null) throw new Error(`${unit} starts no Node`);
  return (line[1] ?? '').split(' ').filter((flag) => flag !== '');
}

/** What the unit sets with a constant value. */
function environmentOf(unit: string): Record<string, string> {
  const text = readFileSync(join(ROOT, 'units', unit), 'utf8');
  return Object.fromEntries(
    [...text.matchAll(/^Environment=(\w+)=([^%\s]+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}

async function bundleSupply(work: string): Promise<string> {
  const outdir = join(work, 'supply');
  await build({
    absWorkingDir: ROOT,
    entryPoints: { supply: join(import.meta.dirname, 'supply.ts') },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'warning',
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module';\nconst require = makeRequire(import.meta.url);",
    },
  });
  return join(outdir, 'supply.mjs');
}

function orderFor({ archive, version, artifact }: Release, origin: string): FetchOrder {
  const url = `${origin}/${version}/${archive.split('/').at(-1) ?? ''}`;
  return {
    schema: 1,
    id: 'bench',
    insecureHttp: true,
    settings: {
      connectTimeout: 10_000,
      headersTimeout: 10_000,
      minimumSpeed: 1024,
      slowWindow: 30_000,
      totalTimeout: HOUR,
    },
    files: [
      { name: `${version}.archive`, urls: [url], limit: artifact.size },
      { name: `${version}.archive.asc`, urls: [`${url}.asc`], limit: 16 * 1024 },
    ],
  };
}
