/**
 * `release verify`: what is published, in a directory or at a URL, as a host sees it. Whoever publishes by hand, with tar, gpg and jq, hears from it
 * what a host would say.
 */
import { readFile } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import { LIMITS } from '../manifest.ts';
import type { Artifact, Manifest } from '../manifest.ts';
import type { Fingerprint, Version } from '../release.ts';
import type { TrustedKey } from '../settings.ts';
import { acceptManifest } from '../trust/accept.ts';
import { readEnvelope } from '../trust/envelope.ts';
import { keySetPath, parseKeySet } from '../trust/key-set.ts';
import type { Gpgv } from '../trust/gpgv.ts';
import { checkKeySet, verifySuccessor } from '../trust/rotation.ts';
import type { TrustedSet } from '../trust/rotation.ts';
import { readAsClient, verifyArchive } from './client.ts';
import type { Client } from './client.ts';
import { loadPublisherKeys } from './publisher-keys.ts';
import { about } from './remedies.ts';
import { fileFacts, localPath, MANIFEST_FILE } from './site.ts';

export type Found = { readonly path: string } | 'elsewhere' | 'missing';

/** Where published files are looked for. */
export interface Site {
  /** For messages. */
  readonly name: string;
  /**
   * A copy of the first of these URLs (absolute, or relative to the manifest) that can be had; 'elsewhere' when none of them
   * leads to a place that is looked at. Throws SOURCE_ errors.
   */
  readonly file: (urls: readonly string[], limit: number) => Promise<Found>;
}

export interface VerifyOptions {
  readonly site: Site;
  /** As the settings of a node have them. */
  readonly keys: readonly TrustedKey[];
  readonly threshold: number;
  /** Which key set these keys are; 1 unless given. */
  readonly keySet?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface VerifyReport {
  readonly manifest: Manifest;
  readonly signers: readonly Fingerprint[];
  /** The key set that a host with these keys has walked to. */
  readonly keySet: number;
  readonly artifacts: readonly CheckedArtifact[];
}

export interface CheckedArtifact {
  readonly version: Version;
  readonly artifact: Artifact;
  /** 'elsewhere': every URL leads out of the directory, so nothing was checked. */
  readonly state: 'verified' | 'elsewhere';
}

/** A published directory: what lies elsewhere is not looked at. */
export function directorySite(directory: string): Site {
  return {
    name: directory,
    file: async (urls) => {
      const [place] = urls.map(localPath).filter((path) => path !== undefined);
      if (place === undefined) return 'elsewhere';
      const path = `${directory}/${place}`;
      return (await fileFacts(path)) === undefined ? 'missing' : { path };
    },
  };
}

/** Throws what a host would report: TRUST_ and ARTIFACT_ errors, or SOURCE_ ones for a file that is not there. */
export async function verifyRelease(options: VerifyOptions, gpgv: Gpgv): Promise<VerifyReport> {
  const { site, now } = options;
  const keys = await loadPublisherKeys(options.keys);
  const given = { keys, threshold: options.threshold, trust: { ...gpgv, now } };
  const { client, keySet } = await walkKeySets(site, options.keySet ?? 1, given);
  const envelope = await bytesOf(site, MANIFEST_FILE, LIMITS.envelope);
  if (envelope === undefined) throw missing(site, MANIFEST_FILE);
  const { manifest, signers } = await about('manifest', `${MANIFEST_FILE} of ${site.name}`, async () => {
    const read = await readAsClient(envelope, client);
    const { name, channel } = read.manifest;
    acceptManifest(read, undefined, { name, channel, now, buildTime: 0 });
    return read;
  });
  const artifacts: CheckedArtifact[] = [];
  for (const { version, artifacts: offered } of manifest.releases) {
    for (const artifact of offered) {
      artifacts.push({ version, artifact, state: await checkArtifact(site, artifact, client) });
    }
  }
  return { manifest, signers, keySet, artifacts };
}

/** As a host does: from the key set that the given keys are to the newest. */
async function walkKeySets(
  site: Site,
  keySet: number,
  given: Client,
): Promise<{ readonly client: Client; readonly keySet: number }> {
  let here: TrustedSet = { number: keySet, keys: given.keys, threshold: given.threshold };
  while (here.number < LIMITS.keySets) {
    const envelope = await bytesOf(site, keySetPath(here.number + 1), LIMITS.envelope);
    if (envelope === undefined) break;
    here = await about('keys', `${keySetPath(here.number + 1)} of ${site.name}`, async () => {
      // The manifest, which says whose keys these are, is judged by the last of them.
      const { name } = parseKeySet(readEnvelope(envelope).text);
      const { set, keys } = await verifySuccessor(envelope, here, name, given.trust);
      return { number: set.number, keys, threshold: set.threshold, expires: set.expires };
    });
  }
  await about('keys', `${keySetPath(here.number)} of ${site.name}`, () => {
    checkKeySet(here, given.trust.now);
  });
  return { client: { ...given, keys: here.keys, threshold: here.threshold }, keySet: here.number };
}

async function checkArtifact(site: Site, artifact: Artifact, client: Client): Promise<CheckedArtifact['state']> {
  const found = await site.file(artifact.url, artifact.size);
  if (found === 'elsewhere') return 'elsewhere';
  const path = found === 'missing' ? '' : found.path;
  const facts = found === 'missing' ? undefined : await fileFacts(path);
  if (facts === undefined) throw missing(site, artifact.url.join(', '));
  const name = `${artifact.url[0] ?? ''} of ${site.name}`;
  if (facts.size !== artifact.size)
    throw different('TRUST_SIZE', name, `${facts.size} bytes`, `${artifact.size} bytes`);
  if (facts.sha256 !== artifact.sha256)
    throw different('TRUST_DIGEST', name, `the digest ${facts.sha256}`, artifact.sha256);
  const signature = await bytesOf(site, artifact.signature, LIMITS.signature);
  if (signature === undefined) throw missing(site, artifact.signature);
  await about('archive', name, () => verifyArchive(path, signature, artifact, client));
  return 'verified';
}

async function bytesOf(site: Site, url: string, limit: number): Promise<Buffer | undefined> {
  const found = await site.file([url], limit);
  if (found === 'missing' || found === 'elsewhere') return undefined;
  const { path } = found;
  const facts = await fileFacts(path);
  if (facts !== undefined && facts.size > limit) {
    throw different('TRUST_SIZE', `${url} of ${site.name}`, `${facts.size} bytes`, `at most ${limit} bytes`);
  }
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, 'read', path);
  }
}

function missing(site: Site, url: string): UpdaterError {
  return new UpdaterError('SOURCE_UNREACHABLE', `${url} is not there (${site.name})`, {
    remedy: 'Publish again: `node-updater release publish` puts every file into place before it changes the manifest.',
  });
}

function different(code: 'TRUST_SIZE' | 'TRUST_DIGEST', name: string, found: string, stated: string): UpdaterError {
  return new UpdaterError(code, `${name} has ${found}; the manifest states ${stated}`, {
    remedy: 'Put the file that was published back into place. A changed release needs a new version.',
  });
}
