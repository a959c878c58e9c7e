/**
 * What the next manifest says, from the last one and what is to change. Pure. Refuses what hosts would refuse, or what
 * would make two hosts run different bytes under one version.
 */
import type { Artifact, Manifest, Release, Rollout } from '../manifest.ts';
import type { Version } from '../release.ts';
import { compareVersions } from '../version.ts';
import { refusePublication } from './refuse.ts';
import { timeText } from './text.ts';

export interface Publication {
  /** Needed for the first publication; afterwards they must not change. */
  readonly name?: string | undefined;
  readonly channel?: string | undefined;
  /** One entry for each archive that is added. */
  readonly additions: readonly Addition[];
  readonly expires: number;
  /** Undefined: the last one plus 1. */
  readonly serial?: number | undefined;
  readonly minimum?: Version | undefined;
  /** Undefined: the added version, or else what was suggested. */
  readonly suggested?: Version | undefined;
  readonly rollout?: Rollout | undefined;
  /** Added to what is withdrawn already. */
  readonly withdrawn?: readonly Version[] | undefined;
  readonly notBefore?: number | undefined;
  /** How many releases the manifest states, newest first; those that it refers to always stay. */
  readonly keep: number;
}

export type Addition = Pick<Release, 'version' | 'severity' | 'notes' | 'epoch' | 'rollback'> & {
  readonly name: string;
  readonly artifact: Artifact;
};

/** The serial goes no further than a JSON number carries exactly. */
const LARGEST_SERIAL = Number.MAX_SAFE_INTEGER;

/** Throws RELEASE_REFUSED or RELEASE_INPUT. Times in milliseconds since the epoch, cut to whole seconds. */
export function planManifest(previous: Manifest | undefined, publication: Publication, now: number): Manifest {
  const published = Math.floor(now / 1000) * 1000;
  const releases = publication.additions.reduce(
    (known, addition) => addArtifact(known, addition, publication.notBefore, published),
    previous?.releases ?? [],
  );
  const suggested = suggestedVersion(previous, publication);
  const minimum = publication.minimum ?? previous?.minimum;
  const rollout = nextRollout(previous, publication, suggested);
  const referred = new Set([
    suggested,
    minimum,
    rollout?.version,
    ...publication.additions.map((each) => each.version),
  ]);
  const manifest: Manifest = {
    schema: 1,
    name: productName(previous, publication),
    channel: publication.channel ?? previous?.channel ?? 'stable',
    serial: nextSerial(previous, publication.serial),
    published,
    expires: Math.floor(publication.expires / 1000) * 1000,
    ...(minimum === undefined ? {} : { minimum }),
    suggested,
    ...(rollout === undefined ? {} : { rollout }),
    withdrawn: [...new Set([...(previous?.withdrawn ?? []), ...(publication.withdrawn ?? [])])],
    releases: prune(releases, referred, publication.keep),
  };
  refuseContradictions(previous, manifest);
  return manifest;
}

function productName(previous: Manifest | undefined, { name, additions }: Publication): string {
  const names = new Set(
    [name, previous?.name, ...additions.map((each) => each.name)].filter((each) => each !== undefined),
  );
  const [only, other] = [...names];
  if (only === undefined) throw refusePublication('the manifest has no name', 'Give --name.');
  if (other === undefined) return only;
  throw refusePublication(
    `the release of ${other} does not belong into the manifest of ${only}`,
    'Give each product a directory of its own.',
  );
}

function nextSerial(previous: Manifest | undefined, asked: number | undefined): number {
  const last = previous?.serial ?? 0;
  const serial = asked ?? last + 1;
  if (serial > last && serial <= LARGEST_SERIAL) return serial;
  const remedy = `Leave --serial out, or give a number above ${last}.`;
  throw refusePublication(`serial ${serial} does not rise above ${last}; hosts would take it for a replay`, remedy);
}

function suggestedVersion(previous: Manifest | undefined, { suggested, additions }: Publication): Version {
  const newest = additions
    .map((each) => each.version)
    .sort(compareVersions)
    .at(-1);
  const version = suggested ?? newest ?? previous?.suggested;
  if (version !== undefined) return version;
  throw refusePublication('the manifest suggests no version', 'Name a built release, or give --suggest VERSION.');
}

/** A rollout belongs to one version: it ends when another one is suggested. */
function nextRollout(
  previous: Manifest | undefined,
  { rollout }: Publication,
  suggested: Version,
): Rollout | undefined {
  if (rollout !== undefined) return rollout;
  return previous?.rollout?.version === suggested ? previous.rollout : undefined;
}

function addArtifact(
  releases: readonly Release[],
  { version, severity, notes, epoch, rollback, artifact }: Addition,
  notBefore: number | undefined,
  published: number,
): readonly Release[] {
  const known = releases.find((release) => release.version === version);
  const twin = known?.artifacts.find((each) => platform(each) === platform(artifact));
  if (twin !== undefined && twin.sha256 !== artifact.sha256) {
    throw refusePublication(
      `${version} for ${platform(artifact)} is published with other bytes (${twin.sha256}, now ${artifact.sha256})`,
      'A version never changes. Build it again under a new version.',
    );
  }
  if (known !== undefined && (known.epoch !== epoch || known.rollback !== rollback)) {
    throw refusePublication(
      `${version} is published with epoch ${known.epoch} and rollback "${known.rollback}"`,
      'Build every archive of a version with the same --epoch and --rollback.',
    );
  }
  const others = (known?.artifacts ?? []).filter((each) => each !== twin);
  const kept = notBefore ?? known?.notBefore;
  const release: Release = {
    version,
    published: known?.published ?? published,
    severity,
    ...(notes === undefined ? {} : { notes }),
    epoch,
    rollback,
    ...(kept === undefined ? {} : { notBefore: Math.floor(kept / 1000) * 1000 }),
    artifacts: [...others, artifact].sort((a, b) => (platform(a) < platform(b) ? -1 : 1)),
  };
  return [...releases.filter((each) => each !== known), release];
}

function platform({ os, arch, libc }: Artifact): string {
  return `${os} ${arch} ${libc}`;
}

function prune(
  releases: readonly Release[],
  referred: ReadonlySet<Version | undefined>,
  keep: number,
): readonly Release[] {
  const newestFirst = [...releases].sort((a, b) => compareVersions(b.version, a.version));
  return newestFirst.filter((release, place) => place < keep || referred.has(release.version));
}

function refuseContradictions(previous: Manifest | undefined, manifest: Manifest): void {
  const stated = new Set(manifest.releases.map((release) => release.version));
  const { suggested, minimum, rollout, published, expires } = manifest;
  if (!stated.has(suggested)) {
    throw refusePublication(`the suggested version ${suggested} is not published`, 'Publish it, or suggest another.');
  }
  if (rollout !== undefined && !stated.has(rollout.version)) {
    throw refusePublication(`the version ${rollout.version} of the rollout is not published`, 'Publish it first.');
  }
  if (manifest.withdrawn.includes(suggested)) {
    throw refusePublication(`${suggested} is withdrawn and cannot be suggested`, 'Give --suggest another VERSION.');
  }
  if (minimum !== undefined && compareVersions(minimum, suggested) > 0) {
    throw refusePublication(
      `the minimum ${minimum} is newer than the suggested ${suggested}`,
      'Give another --minimum.',
    );
  }
  if (expires <= published) {
    const times = `expires ${timeText(expires)}, now ${timeText(published)}`;
    throw refusePublication(`the manifest would be expired when it is published (${times})`, 'Give a later --expires.');
  }
  if (previous !== undefined && published < previous.published) {
    const message = `the last manifest was published at ${timeText(previous.published)}, which is in the future`;
    throw refusePublication(message, 'Set the clock of this host, then publish again.');
  }
  if (previous !== undefined && manifest.channel !== previous.channel) {
    const message = `this directory publishes the channel ${previous.channel}, not ${manifest.channel}`;
    throw refusePublication(message, 'Give each channel a directory of its own.');
  }
}
