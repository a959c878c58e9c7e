/** The releases that are measured, made and signed by the product's own `release` functions, and a server for them. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Artifact } from '../../src/manifest.ts';
import type { Digest, Version } from '../../src/release.ts';
import type { Format } from '../../src/release/compress.ts';
import { buildRelease, type Built } from '../../src/release/build.ts';
import { signRelease } from '../../src/release/sign.ts';
import { durableFiles } from '../../src/host/files.ts';
import { run } from '../../src/host/run.ts';
import { makePublisher, versionOf, type Publisher } from '../../test/rig/publisher.ts';
import { makeRandomTree, makeTree, PROGRAM, type Size } from './tree.ts';

export interface Release {
  readonly archive: string;
  readonly version: Version;
  readonly digest: Digest;
  readonly artifact: Artifact;
  /** A file of the release, executable. */
  readonly binary: string;
}

export interface ReleaseShape extends Size {
  readonly version: string;
  readonly content: 'mixed' | 'random';
  readonly format: Format;
  readonly level: number;
}

export interface Releases extends AsyncDisposable {
  readonly publisher: Publisher;
  readonly origin: string;
  make(shape: ReleaseShape): Promise<Release>;
}

const files = durableFiles(run);
const ROOT = join(import.meta.dirname, '../..');

/** Everything lies below `directory`. */
export async function openReleases(directory: string): Promise<Releases> {
  const publisher = await makePublisher({ name: 'bench' });
  const served = join(directory, 'site');
  await mkdir(served);
  const server = await serve(served);
  return {
    publisher,
    origin: server.origin,
    make: async ({ version, content, format, level, ...size }) => {
      const tree = join(directory, `tree-${content}-${String(size.bytes)}`);
      if (!(await readdir(directory)).includes(`tree-${content}-${String(size.bytes)}`)) {
        if (content === 'mixed') makeTree(tree, join(ROOT, 'node_modules'), size);
        else makeRandomTree(tree, size);
      }
      const out = join(served, version);
      const options = { directory: tree, out, name: 'bench', version: versionOf(version), format, level };
      const built = await buildRelease(options, files);
      await signRelease({ archive: built.archive, signers: [publisher.key.fingerprint] }, publisher.gpg, files);
      return releaseOf(built, version);
    },
    [Symbol.asyncDispose]: async () => {
      server.stop();
      await publisher[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function releaseOf({ archive, description }: Built, version: string): Release {
  const { size, unpacked_size: unpackedSize, entries, sha256 } = description;
  const artifact = { size, unpackedSize, entries, signature: '', url: [] } as unknown as Artifact;
  return { archive, version: versionOf(version), digest: sha256, binary: PROGRAM, artifact };
}

/** Says where it listens as soon as it does; when it dies first, there is no line to wait for. */
async function serve(directory: string): Promise<{ origin: string; stop: () => void }> {
  const program = join(ROOT, 'test/rig/http/static.ts');
  const child = spawn(process.execPath, [program, directory, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const address = /^listening on (\S+)$/.exec(line)?.[1];
    if (address !== undefined) return { origin: `http://${address}`, stop: () => child.kill() };
  }
  throw new Error('the server of the releases ended before it listened');
}
