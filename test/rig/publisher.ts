/**
 * A publisher for tests: a key of its own in a throwaway GNUPGHOME, and releases made by the product's own functions.
 *
 *   await using publisher = await makePublisher();
 *   await publisher.publish({ tree, version: '1.0.0' });
 *   // serve publisher.site; trust publisher.key
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { durableFiles } from '../../src/host/files.ts';
import { run } from '../../src/host/run.ts';
import type { Artifact, Release } from '../../src/manifest.ts';
import { parseFingerprint, parseVersion } from '../../src/release.ts';
import type { Fingerprint, Version } from '../../src/release.ts';
import type { Format } from '../../src/release/compress.ts';
import { buildRelease } from '../../src/release/build.ts';
import type { Built } from '../../src/release/build.ts';
import type { Gpg } from '../../src/release/gpg.ts';
import { publishRelease } from '../../src/release/publish.ts';
import type { PublicationPlan, PublishOptions } from '../../src/release/publish.ts';
import { signRelease } from '../../src/release/sign.ts';
import type { TrustedKey } from '../../src/settings.ts';
import type { Gpgv } from '../../src/trust/gpgv.ts';

export interface ReleaseOptions {
  /** The directory that becomes the version directory. */
  readonly tree: string;
  readonly version: string;
  readonly arch?: Artifact['arch'];
  readonly libc?: Artifact['libc'];
  readonly format?: Format;
  readonly binary?: string;
  readonly epoch?: number;
  readonly rollback?: Release['rollback'];
  readonly severity?: Release['severity'];
  readonly notes?: string;
}

export interface Publisher extends AsyncDisposable {
  /** Everything of this publisher; removed at dispose. */
  readonly root: string;
  /** The static directory: serve this. */
  readonly site: string;
  /** The armoured public key and its full fingerprint, as settings have it. */
  readonly key: TrustedKey;
  readonly gpg: Gpg;
  readonly gpgv: Gpgv;
  /** Builds and signs, without publishing. */
  build(options: ReleaseOptions): Promise<Built>;
  /** Builds, signs and publishes one release. */
  publish(options: ReleaseOptions, manifest?: ManifestOptions): Promise<PublicationPlan>;
  /** A new manifest alone: a renewal, a withdrawal, another suggestion. */
  renew(manifest?: ManifestOptions): Promise<PublicationPlan>;
}

export type ManifestOptions = Partial<Omit<PublishOptions, 'releases'>>;

export interface PublisherOptions {
  /** The product's name in the manifest. */
  readonly name?: string;
  readonly channel?: string;
}

const DAY = 24 * 60 * 60 * 1000;
const files = durableFiles(run);

/** Ends its gpg-agent and removes everything at dispose. */
export async function makePublisher({ name = 'demo', channel = 'stable' }: PublisherOptions = {}): Promise<Publisher> {
  const root = await mkdtemp(join(tmpdir(), 'publisher-'));
  const { gpg, dispose } = await makeGpgHome(join(root, 'gpg'));
  const key = await makeKey(gpg, 'Test Publisher <publisher@example.org>', join(root, 'publisher.asc'));
  const site = join(root, 'site');
  const gpgv = { run, gpgv: '/usr/bin/gpgv', scratch: join(root, 'scratch') };
  await mkdir(gpgv.scratch, { mode: 0o700 });
  const build = async ({ tree, version, ...more }: ReleaseOptions): Promise<Built> => {
    const options = { directory: tree, out: join(root, 'built'), name, version: versionOf(version), level: 1, ...more };
    const built = await buildRelease(options, files);
    await signRelease({ archive: built.archive, signers: [key.fingerprint] }, gpg, files);
    return built;
  };
  const publishAll = (releases: readonly string[], manifest: ManifestOptions = {}): Promise<PublicationPlan> => {
    const signers = [key.fingerprint];
    const fixed = { directory: site, name, channel, signers, otherKeys: [], mirrors: [], keep: 10 };
    const options = { ...fixed, expires: Date.now() + 30 * DAY, ...manifest, releases };
    return publishRelease(options, { gpg, files, gpgv, now: Date.now });
  };
  return {
    root,
    site,
    key,
    gpg,
    gpgv,
    build,
    publish: async (options, manifest) => publishAll([(await build(options)).descriptionFile], manifest),
    renew: (manifest) => publishAll([], manifest),
    [Symbol.asyncDispose]: async () => {
      await dispose();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export interface GpgHome {
  readonly gpg: Gpg;
  /** Ends the agent, without which the directory could not be removed whole. */
  readonly dispose: () => Promise<void>;
}

export async function makeGpgHome(home: string): Promise<GpgHome> {
  await mkdir(home, { mode: 0o700 });
  await chmod(home, 0o700);
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: home, GNUPGHOME: home, LC_ALL: 'C' };
  const dispose = async (): Promise<void> => {
    await must(['gpgconf', '--kill', 'all'], env);
  };
  return { gpg: { run, env }, dispose };
}

/** An Ed25519 signing key without a passphrase; its public half goes to `file`. */
export async function makeKey({ env }: Gpg, userId: string, file: string): Promise<TrustedKey> {
  // Made a minute ago: gpg does not sign with a key that is a moment younger than its clock says.
  const made = new Date(Date.now() - 60_000).toISOString().replaceAll(/[-:]|\.\d+Z/g, '');
  const quick = ['--batch', '--passphrase', '', '--quick-generate-key', userId, 'ed25519', 'sign', 'never'];
  const status = await must(['gpg', '--status-fd=1', `--faked-system-time=${made}`, ...quick], env);
  const fingerprint = parseFingerprint(/KEY_CREATED P ([0-9A-F]+)/.exec(status)?.[1] ?? '');
  if (fingerprint === undefined) throw new Error(`gpg made no key: ${status}`);
  await writeFile(file, await must(['gpg', '--armor', '--export', fingerprint], env), { mode: 0o644 });
  await chmod(file, 0o644);
  return { file, fingerprint: fingerprint satisfies Fingerprint };
}

/** What the archive of a release is made from: a directory with one program, `bin/demo`. */
export async function makeTree({ root }: Pick<Publisher, 'root'>): Promise<string> {
  const tree = join(root, 'tree');
  await mkdir(join(tree, 'bin'), { recursive: true });
  await writeFile(join(tree, 'bin/demo'), '#!/bin/sh\necho one\n', { mode: 0o755 });
  return tree;
}

export function versionOf(text: string): Version {
  const version = parseVersion(text);
  if (version === undefined) throw new Error(`${text} is no version`);
  return version;
}

async function must(command: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const { status, stdout, stderr } = await run(command, { env, timeout: 60_000 });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr.toString()}`);
  return stdout.toString();
}
