/**
 * `release verify`: a published directory as a host sees it. Whoever publishes by hand, with tar, gpg and jq, hears from it
 * what a host would say.
 */
import { readFile } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../manifest.ts';
import type { Artifact, Manifest } from '../manifest.ts';
import type { Fingerprint, Version } from '../release.ts';
import type { TrustedKey } from '../settings.ts';
import { acceptManifest } from '../trust/accept.ts';
import type { Gpgv } from '../trust/gpgv.ts';
import { loadKeys } from '../trust/keys.ts';
import { readAsClient, verifyArchive } from './client.ts';
import type { Client } from './client.ts';
import { fileFacts, localPath, MANIFEST_FILE, readManifestFile } from './site.ts';

export interface VerifyOptions {
  readonly directory: string;
  /** As the settings of a node have them. */
  readonly keys: readonly TrustedKey[];
  readonly threshold: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface VerifyReport {
  readonly manifest: Manifest;
  readonly signers: readonly Fingerprint[];
  readonly artifacts: readonly CheckedArtifact[];
}

export interface CheckedArtifact {
  readonly version: Version;
  readonly artifact: Artifact;
  /** 'elsewhere': every URL leads out of the directory, so nothing was checked. */
  readonly state: 'verified' | 'elsewhere';
}

/** Throws what a host would report: TRUST_ and ARTIFACT_ errors, or SOURCE_UNREACHABLE for a file that is not there. */
export async function verifyRelease(options: VerifyOptions, gpgv: Gpgv): Promise<VerifyReport> {
  const { directory, threshold, now } = options;
  const client = { keys: await loadKeys(options.keys), threshold, trust: { ...gpgv, now } };
  const envelope = await readManifestFile(directory);
  if (envelope === undefined) throw missing(`${directory}/${MANIFEST_FILE}`);
  const { manifest, signers, text } = await readAsClient(envelope, client);
  const { name, channel } = manifest;
  acceptManifest({ manifest, text }, undefined, { name, channel, now, buildTime: 0 });
  const artifacts: CheckedArtifact[] = [];
  for (const { version, artifacts: offered } of manifest.releases) {
    for (const artifact of offered) {
      artifacts.push({ version, artifact, state: await checkArtifact(directory, artifact, client) });
    }
  }
  return { manifest, signers, artifacts };
}

async function checkArtifact(directory: string, artifact: Artifact, client: Client): Promise<CheckedArtifact['state']> {
  const [place] = artifact.url.map(localPath).filter((path) => path !== undefined);
  if (place === undefined) return 'elsewhere';
  const path = `${directory}/${place}`;
  const facts = await fileFacts(path);
  if (facts === undefined) throw missing(path);
  if (facts.size !== artifact.size)
    throw different('TRUST_SIZE', path, `${facts.size} bytes`, `${artifact.size} bytes`);
  if (facts.sha256 !== artifact.sha256) throw different('TRUST_DIGEST', path, facts.sha256, artifact.sha256);
  await verifyArchive(path, await readSignature(directory, artifact), artifact, client);
  return 'verified';
}

async function readSignature(directory: string, { signature }: Artifact): Promise<Buffer> {
  const place = localPath(signature);
  if (place === undefined) throw missing(signature);
  const facts = await fileFacts(`${directory}/${place}`);
  if (facts === undefined) throw missing(`${directory}/${place}`);
  if (facts.size > LIMITS.signature) {
    throw different('TRUST_SIZE', place, `${facts.size} bytes`, `at most ${LIMITS.signature} bytes`);
  }
  return readFile(`${directory}/${place}`);
}

function missing(path: string): UpdaterError {
  return new UpdaterError('SOURCE_UNREACHABLE', `${path} is not there`, {
    remedy: 'Publish again: `node-updater release publish` puts every file into place before it changes the manifest.',
  });
}

function different(code: 'TRUST_SIZE' | 'TRUST_DIGEST', path: string, found: string, stated: string): UpdaterError {
  return new UpdaterError(code, `${path} has ${found}; the manifest states ${stated}`, {
    remedy: 'Put the file that was published back into place. A changed release needs a new version.',
  });
}
