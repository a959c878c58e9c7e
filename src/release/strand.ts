/**
 * Whether hosts that follow the last manifest could follow the next one: pure. Asked by whoever plans a manifest and again
 * by everybody who is asked to sign it, so that one machine in wrong hands cannot talk the other signers into it.
 */
import { LIMITS } from '../limits.ts';
import type { Artifact, Manifest, Release } from '../manifest.ts';
import type { Version } from '../release.ts';
import { compareVersions } from '../version.ts';
import { refuse, refusePublication } from './refuse.ts';
import { timeText } from './text.ts';

/** Which refusals the publisher overrules by name. */
export const RELEASE_FORCES = ['architectures', 'expires'] as const;
export type ReleaseForce = (typeof RELEASE_FORCES)[number];

/** The serial goes no further than a JSON number carries exactly. */
const LARGEST_SERIAL = Number.MAX_SAFE_INTEGER;

export interface StrandingFacts {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly force: readonly ReleaseForce[];
}

/** Throws RELEASE_SERIAL, RELEASE_EXPIRED, RELEASE_EXPIRES_LATE, RELEASE_CHANGED, RELEASE_ARCHITECTURES or, for what contradicts itself, RELEASE_REFUSED. */
export function refuseStranding(previous: Manifest | undefined, next: Manifest, facts: StrandingFacts): void {
  refuseContradictions(next);
  refuseExpired(next, facts.now);
  if (!facts.force.includes('expires')) refuseLongLife(next);
  if (next.serial > LARGEST_SERIAL) throw refuse('RELEASE_SERIAL', `serial ${next.serial} is too large`, LEAVE_SERIAL);
  if (previous === undefined) return;
  refuseOtherChannel(previous, next);
  refuseSerial(previous, next);
  refuseEarlier(previous, next);
  refuseChanged(previous.releases, next.releases);
  if (!facts.force.includes('architectures')) refuseFewerPlatforms(previous, next);
}

/** One version, one platform, one content: two hosts must never run different bytes under one version. */
export function refuseOtherBytes(version: Version, known: Artifact, artifact: Artifact): void {
  if (known.sha256 === artifact.sha256) return;
  throw refuse(
    'RELEASE_CHANGED',
    `${version} for ${platformOf(artifact)} is published with other bytes (${known.sha256}, now ${artifact.sha256})`,
    'A version never changes. Build it again under a new version.',
  );
}

export function refuseOtherFormat(known: Release, next: Pick<Release, 'epoch' | 'rollback'>): void {
  if (known.epoch === next.epoch && known.rollback === next.rollback) return;
  throw refuse(
    'RELEASE_CHANGED',
    `${known.version} is published with epoch ${known.epoch} and rollback "${known.rollback}"`,
    'Build every archive of a version with the same --epoch and --rollback.',
  );
}

export function platformOf({ os, arch, libc }: Artifact): string {
  return `${os} ${arch} ${libc}`;
}

export const LEAVE_SERIAL = 'Leave --serial out: it is then one more than the last.';

function refuseSerial(previous: Manifest, { serial }: Manifest): void {
  if (serial > previous.serial) return;
  const message = `serial ${serial} does not rise above ${previous.serial}; hosts would take it for a replay`;
  throw refuse('RELEASE_SERIAL', message, LEAVE_SERIAL);
}

function refuseExpired({ expires, published }: Manifest, now: number): void {
  const from = Math.max(now, published);
  if (expires > from) return;
  const times = `expires ${timeText(expires)}, now ${timeText(from)}`;
  throw refuse(
    'RELEASE_EXPIRED',
    `the manifest would be expired when it is published (${times})`,
    'Give a later --expires.',
  );
}

/** Whoever holds newer manifests back, or has the keys for a day, freezes hosts until this one expires. */
function refuseLongLife({ expires, published }: Manifest): void {
  if (expires - published <= LIMITS.manifestLife) return;
  const days = Math.round((expires - published) / DAY);
  const most = LIMITS.manifestLife / DAY;
  throw refuse(
    'RELEASE_EXPIRES_LATE',
    `the manifest would be believed for ${days} days: so long could a mirror keep hosts from the next one`,
    `Give --expires ${most}d or less, and let a timer renew it (node-updater release publish DIRECTORY -u KEY). If you mean it: --force expires.`,
  );
}

const DAY = 24 * 60 * 60 * 1000;

function refuseEarlier(previous: Manifest, next: Manifest): void {
  if (next.published >= previous.published) return;
  const message = `the last manifest was published at ${timeText(previous.published)}, which is in the future`;
  throw refusePublication(message, 'Set the clock of this host, then publish again.');
}

function refuseOtherChannel(previous: Manifest, next: Manifest): void {
  if (next.name !== previous.name) {
    const message = `the release of ${next.name} does not belong into the manifest of ${previous.name}`;
    throw refusePublication(message, 'Give each product a directory of its own.');
  }
  if (next.channel === previous.channel) return;
  const message = `this directory publishes the channel ${previous.channel}, not ${next.channel}`;
  throw refusePublication(message, 'Give each channel a directory of its own.');
}

function refuseChanged(before: readonly Release[], after: readonly Release[]): void {
  for (const known of before) {
    const same = after.find(({ version }) => version === known.version);
    if (same === undefined) continue;
    refuseOtherFormat(known, same);
    for (const artifact of same.artifacts) {
      const twin = known.artifacts.find((each) => platformOf(each) === platformOf(artifact));
      if (twin !== undefined) refuseOtherBytes(known.version, twin, artifact);
    }
  }
}

/** A host whose platform is left out would never hear of a newer version again. A static archive runs with any libc. */
function refuseFewerPlatforms(previous: Manifest, next: Manifest): void {
  const before = suggestedRelease(previous)?.artifacts ?? [];
  const after = suggestedRelease(next)?.artifacts ?? [];
  const serves = (artifact: Artifact, wanted: Artifact): boolean =>
    artifact.arch === wanted.arch && (artifact.libc === wanted.libc || artifact.libc === 'static');
  const missing = before.filter((wanted) => !after.some((artifact) => serves(artifact, wanted)));
  if (missing.length === 0) return;
  throw refuse(
    'RELEASE_ARCHITECTURES',
    `${next.suggested} has no archive for ${missing.map(platformOf).join(', ')}, which ${previous.suggested} had`,
    'Build the missing archives and publish all of them at once. To drop the platform for good: --force architectures.',
  );
}

function suggestedRelease({ releases, suggested }: Manifest): Release | undefined {
  return releases.find(({ version }) => version === suggested);
}

function refuseContradictions({ releases, suggested, minimum, rollout, withdrawn }: Manifest): void {
  const stated = new Set(releases.map((release) => release.version));
  if (!stated.has(suggested)) {
    throw refusePublication(`the suggested version ${suggested} is not published`, 'Publish it, or suggest another.');
  }
  if (rollout !== undefined && !stated.has(rollout.version)) {
    throw refusePublication(`the version ${rollout.version} of the rollout is not published`, 'Publish it first.');
  }
  if (withdrawn.includes(suggested)) {
    throw refusePublication(`${suggested} is withdrawn and cannot be suggested`, 'Give --suggest another VERSION.');
  }
  if (minimum !== undefined && withdrawn.includes(minimum)) {
    throw refusePublication(`the minimum ${minimum} is withdrawn`, 'Give another --minimum.');
  }
  if (minimum !== undefined && compareVersions(minimum, suggested) > 0) {
    const message = `the minimum ${minimum} is newer than the suggested ${suggested}`;
    throw refusePublication(message, 'Give another --minimum.');
  }
}
