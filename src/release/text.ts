/** The exact text that is signed: DESIGN.md section 7, field by field. `parseManifest` reads it back. */
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../manifest.ts';
import type { Artifact, Manifest, Release } from '../manifest.ts';

/** Throws RELEASE_REFUSED when hosts would find it too large. */
export function manifestText(manifest: Manifest): string {
  const text = `${JSON.stringify(wireManifest(manifest), null, 2)}\n`;
  const size = Buffer.byteLength(text);
  if (size <= LIMITS.manifest) return text;
  throw new UpdaterError('RELEASE_REFUSED', `the manifest comes to ${size} bytes, hosts take ${LIMITS.manifest}`, {
    remedy: 'State fewer releases (--keep), shorter notes or fewer mirrors.',
  });
}

/** The one file that is published. Each signature is one armour block over the bytes of `text`. */
export function envelopeText(text: string, signatures: readonly string[]): string {
  return `${JSON.stringify({ manifest: text, signatures }, null, 1)}\n`;
}

/** RFC 3339 in UTC, to the second. */
export function timeText(time: number): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function wireManifest(manifest: Manifest): object {
  return {
    schema: manifest.schema,
    name: manifest.name,
    channel: manifest.channel,
    serial: manifest.serial,
    published: timeText(manifest.published),
    expires: timeText(manifest.expires),
    minimum: manifest.minimum,
    suggested: manifest.suggested,
    rollout: manifest.rollout,
    withdrawn: manifest.withdrawn,
    releases: manifest.releases.map(wireRelease),
  };
}

function wireRelease(release: Release): object {
  return {
    version: release.version,
    published: timeText(release.published),
    severity: release.severity,
    notes: release.notes,
    epoch: release.epoch,
    rollback: release.rollback,
    not_before: release.notBefore === undefined ? undefined : timeText(release.notBefore),
    artifacts: release.artifacts.map(wireArtifact),
  };
}

function wireArtifact(artifact: Artifact): object {
  return {
    os: artifact.os,
    arch: artifact.arch,
    libc: artifact.libc,
    url: artifact.url,
    size: artifact.size,
    unpacked_size: artifact.unpackedSize,
    entries: artifact.entries,
    sha256: artifact.sha256,
    signature: artifact.signature,
    deltas: [],
  };
}
