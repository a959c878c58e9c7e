/**
 * What the transaction does between the fetch and the node, in a process of its own: the product's own steps `verify` and
 * `stage` on real files. The rest of a transaction (ledger, bus, gate) is left out, and so is its wait for the fetch room.
 * `node supply.mjs JOB`, a file as Job has it.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { durableFiles } from '../../src/host/files.ts';
import { run } from '../../src/host/run.ts';
import { layoutAt } from '../../src/layout.ts';
import type { MachineContext } from '../../src/machine/context.ts';
import { stageArtifact, verifyArtifact } from '../../src/machine/supply.ts';
import type { Artifact } from '../../src/manifest.ts';
import type { Digest, NodeName, Version } from '../../src/release.ts';
import type { TrustedKey } from '../../src/settings.ts';

export interface Job {
  /** Stands for `/`. The fetch room has been at work below it. */
  readonly root: string;
  readonly node: NodeName;
  readonly version: Version;
  readonly artifact: Artifact;
  readonly digest: Digest;
  readonly key: TrustedKey;
  readonly origin: string;
  readonly binary: string;
  readonly durability: 'durable' | 'no final sync';
}

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Job;
const layout = layoutAt(job.root).node(job.node);
for (const directory of [layout.incoming, layout.run, layout.versions]) mkdirSync(directory, { recursive: true });
const files = durableFiles(run);
const quiet = (): void => undefined;

const context = {
  layout,
  files: job.durability === 'durable' ? files : { ...files, syncFileSystem: () => Promise.resolve() },
  settings: {
    node: job.node,
    binary: job.binary,
    trust: { threshold: 1, keys: [job.key] },
    source: { urls: [job.origin], insecureHttp: true },
  },
  global: { fetch: { totalTimeout: 1000 } },
  // The last step asks the fetch room to remove the archive; here nobody does.
  bus: { start: () => Promise.resolve('done') },
  clock: { now: () => Date.now() },
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  heartbeat: { beat: quiet, status: quiet, during: <T>(waited: Promise<T>) => waited },
  run,
} as unknown as MachineContext;

const transaction = { to: job.version, artifact: job.artifact, digest: job.digest } as Parameters<
  typeof verifyArtifact
>[0];
await verifyArtifact(transaction, context);
await stageArtifact(transaction, context);
