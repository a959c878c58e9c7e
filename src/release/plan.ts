/**
 * What the next manifest says, from the last one and what is to change. Pure. Refuses what hosts would refuse, or what
 * would make two hosts run different bytes under one version.
 */
import { LIMITS } from '../limits.ts';
import type { Artifact, Manifest, Release, Rollout } from '../manifest.ts';
import type { Version } from '../release.ts';
import { compareVersions } from '../version.ts';
import { refusePublication } from './refuse.ts';
import { nextStep } from './rollout.ts';
import type { RolloutWish } from './rollout.ts';
import { platformOf, refuseOtherBytes, refuseOtherFormat, refuseStranding } from './strand.ts';
import type { ReleaseForce } from './strand.ts';

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
  /** Of the version that is suggested, where `rollout` does not say it already. */
  readonly wish?: RolloutWish | undefined;
  /** Added to what is withdrawn already. If it was suggested, the one release that is left is; of several one must be given. */
  readonly withdrawn?: readonly Version[] | undefined;
  /** Why: becomes a part of the notes of what is withdrawn. */
  readonly reason?: string | undefined;
  readonly notBefore?: number | undefined;
  /** How many releases the manifest states, newest first; those that it refers to always stay. */
  readonly keep: number;
  readonly force?: readonly ReleaseForce[] | undefined;
}

export type Addition = Pick<Release, 'version' | 'severity' | 'notes' | 'epoch' | 'rollback'> & {
  readonly name: string;
  readonly artifact: Artifact;
};

/** Throws what `refuseStranding` does, and RELEASE_REFUSED. Times in milliseconds since the epoch, cut to whole seconds. */
export function planManifest(previous: Manifest | undefined, publication: Publication, now: number): Manifest {
  const published = Math.floor(now / 1000) * 1000;
  const releases = publication.additions.reduce(
    (known, addition) =>
      addArtifact(known, addition, { ...publication, published, withdrawn: previous?.withdrawn ?? [] }),
    previous?.releases ?? [],
  );
  const withdrawn = [...new Set([...(previous?.withdrawn ?? []), ...(publication.withdrawn ?? [])])];
  const suggested = suggestedVersion(previous, publication, releases, withdrawn);
  const minimum = publication.minimum ?? previous?.minimum;
  const rollout = nextRollout(previous, publication, suggested, now);
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
    serial: publication.serial ?? (previous?.serial ?? 0) + 1,
    published,
    expires: Math.floor(publication.expires / 1000) * 1000,
    ...(minimum === undefined ? {} : { minimum }),
    suggested,
    ...(rollout === undefined ? {} : { rollout }),
    withdrawn,
    releases: prune(releases, referred, publication.keep).map((release) => withReason(release, publication)),
  };
  refuseStranding(previous, manifest, { now: published, force: publication.force ?? [] });
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

function suggestedVersion(
  previous: Manifest | undefined,
  { suggested, additions }: Publication,
  releases: readonly Release[],
  withdrawn: readonly Version[],
): Version {
  const added = newest(additions.map((each) => each.version));
  const version = suggested ?? added ?? previous?.suggested;
  if (version === undefined) {
    throw refusePublication('the manifest suggests no version', 'Name a built release, or give --suggest VERSION.');
  }
  if (suggested !== undefined || !withdrawn.includes(version)) return version;
  const [only, ...others] = releases.map((each) => each.version).filter((each) => !withdrawn.includes(each));
  if (only !== undefined && others.length === 0) return only;
  // Any of them may have been halted for a reason that stands in no manifest.
  throw refusePublication(
    `${version} is withdrawn and cannot be suggested`,
    others.length === 0 ? 'Publish another version first.' : `Give --suggest, one of: ${[only, ...others].join(', ')}.`,
  );
}

function newest(versions: readonly Version[]): Version | undefined {
  return [...versions].sort(compareVersions).at(-1);
}

/** A rollout belongs to one version: it ends when another one is suggested. */
function nextRollout(
  previous: Manifest | undefined,
  { rollout, wish }: Publication,
  suggested: Version,
  now: number,
): Rollout | undefined {
  if (rollout !== undefined) return rollout;
  const kept = previous?.rollout?.version === suggested ? previous.rollout : undefined;
  if (wish === undefined) return kept;
  return nextStep(previous, suggested, wish, now).rollout ?? kept;
}

function withReason(release: Release, { reason, withdrawn }: Publication): Release {
  if (reason === undefined || withdrawn?.includes(release.version) !== true) return release;
  const notes = release.notes === undefined ? '' : `; ${release.notes}`;
  // The reason matters more than the end of what was said before it.
  const said = `withdrawn: ${reason}${notes}`.slice(0, LIMITS.notesCharacters).toWellFormed();
  return { ...release, notes: said };
}

function addArtifact(
  releases: readonly Release[],
  { version, severity, notes, epoch, rollback, artifact }: Addition,
  { notBefore, published, withdrawn }: Pick<Publication, 'notBefore'> & Pick<Manifest, 'published' | 'withdrawn'>,
): readonly Release[] {
  const known = releases.find((release) => release.version === version);
  const twin = known?.artifacts.find((each) => platformOf(each) === platformOf(artifact));
  if (twin !== undefined) refuseOtherBytes(version, twin, artifact);
  if (known !== undefined) refuseOtherFormat(known, { epoch, rollback });
  const others = (known?.artifacts ?? []).filter((each) => each !== twin);
  const kept = notBefore ?? known?.notBefore;
  // The reason of a withdrawal stands in the notes, and must outlive a new signature of the archive.
  const said = withdrawn.includes(version) ? known?.notes : notes;
  const release: Release = {
    version,
    published: known?.published ?? published,
    severity,
    ...(said === undefined ? {} : { notes: said }),
    epoch,
    rollback,
    ...(kept === undefined ? {} : { notBefore: Math.floor(kept / 1000) * 1000 }),
    artifacts: [...others, artifact].sort((a, b) => (platformOf(a) < platformOf(b) ? -1 : 1)),
  };
  return [...releases.filter((each) => each !== known), release];
}

function prune(
  releases: readonly Release[],
  referred: ReadonlySet<Version | undefined>,
  keep: number,
): readonly Release[] {
  const newestFirst = [...releases].sort((a, b) => compareVersions(b.version, a.version));
  return newestFirst.filter((release, place) => place < keep || referred.has(release.version));
}
