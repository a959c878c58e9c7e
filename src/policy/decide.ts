/** What decides whether a release is taken: pure, and the only place that says no. */
import type { Artifact, DataFormat, Manifest, Release } from '../manifest.ts';
import type { Force } from '../orders.ts';
import type { Version } from '../release.ts';
import { compareVersions } from '../version.ts';
import { inRollout } from './cohort.ts';
import { crossing } from './epoch.ts';

export interface Facts {
  /** The committed version; undefined before the first installation. */
  readonly current: Version | undefined;
  readonly arch: Artifact['arch'];
  readonly libc: 'gnu' | 'musl';
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** cohortOf() of this node. */
  readonly place: Buffer;
  /** Versions that may not come again by themselves, with the reason. */
  readonly quarantined: ReadonlyMap<Version, QuarantineReason>;
  /** What is known of the data that the committed version leaves. */
  readonly data: DataFormat | undefined;
  /** Whether the data is backed up before the switch. */
  readonly backup: 'configured' | 'none';
}

export interface QuarantineReason {
  readonly cause: 'gate' | 'interrupted' | 'operator';
  readonly message: string;
}

export interface Wish {
  /** A person typed it; absent for the timer, and for who only looks. */
  readonly kind?: 'upgrade';
  /** A version that the operator asked for by name. */
  readonly to?: Version;
  readonly force: readonly Force[];
}

/** One line of `why`. `opens`: when a gate that blocks will pass by itself, in milliseconds since the epoch. */
export interface Gate {
  readonly gate: 'offered' | 'newer' | 'platform' | 'not-before' | 'rollout' | 'quarantine' | 'epoch';
  readonly passed: boolean;
  readonly message: string;
  readonly opens?: number;
}

export interface Decision {
  readonly gates: readonly Gate[];
  /** What the manifest offers this node, whether or not a gate blocks it. */
  readonly release: Release | undefined;
  readonly artifact: Artifact | undefined;
  /** True when every gate passed. */
  readonly install: boolean;
  /** The gates that refuse what a person has asked for; empty where there was just nothing to do, or nobody asked. */
  readonly refused: readonly Gate[];
}

export function decide(manifest: Manifest, facts: Facts, wish: Wish): Decision {
  const version = target(manifest, facts, wish);
  const release = manifest.releases.find((offered) => offered.version === version);
  const offered = gateOffered(manifest, version, release);
  if (release === undefined || !offered.passed) {
    const gates = [offered];
    return { gates, release, artifact: undefined, install: false, refused: refusing(gates, version, facts, wish) };
  }
  const artifact = fittingArtifact(release, facts);
  const gates = [
    offered,
    gateNewer(release, facts, wish),
    gatePlatform(release, artifact, facts),
    gateNotBefore(release, facts, wish),
    gateRollout(manifest, release, facts, wish),
    gateQuarantine(release, facts, wish),
    gateEpoch(release, facts, wish),
  ];
  const install = gates.every((gate) => gate.passed);
  return { gates, release, artifact, install, refused: refusing(gates, version, facts, wish) };
}

/**
 * Who asks for a version by name is refused by every gate that blocks; who asks for what is offered, only by those that no
 * time opens. That there is nothing newer, or nothing yet, is no refusal, and neither is to have already what was asked for.
 */
function refusing(gates: readonly Gate[], version: Version, facts: Facts, wish: Wish): readonly Gate[] {
  if (wish.kind === undefined || version === facts.current) return [];
  const blocking = gates.filter(({ passed }) => !passed);
  if (wish.to !== undefined) return blocking;
  return blocking.every(({ gate }) => LASTING.includes(gate)) ? blocking : [];
}

const LASTING: readonly Gate['gate'][] = ['platform', 'quarantine', 'epoch'];

/**
 * What is suggested. A node below the minimum that the rollout has not reached goes to the minimum first, as the Storj
 * network has it; where the minimum is not on offer, to what is suggested at once.
 */
function target(manifest: Manifest, facts: Facts, wish: Wish): Version {
  if (wish.to !== undefined) return wish.to;
  const { minimum, rollout, suggested, releases } = manifest;
  const reached = rollout?.version !== suggested || inRollout(facts.place, rollout);
  if (reached || minimum === undefined || !belowMinimum(manifest, facts)) return suggested;
  return releases.some((release) => release.version === minimum) ? minimum : suggested;
}

function belowMinimum(manifest: Manifest, facts: Facts): boolean {
  return (
    manifest.minimum !== undefined &&
    facts.current !== undefined &&
    compareVersions(facts.current, manifest.minimum) < 0
  );
}

function gateOffered(manifest: Manifest, version: Version, release: Release | undefined): Gate {
  if (manifest.withdrawn.includes(version)) {
    return { gate: 'offered', passed: false, message: `${version} was withdrawn by its publisher` };
  }
  return release === undefined
    ? { gate: 'offered', passed: false, message: `${version} is not on offer in channel ${manifest.channel}` }
    : { gate: 'offered', passed: true, message: `${version} is offered in channel ${manifest.channel}` };
}

function gateNewer(release: Release, facts: Facts, wish: Wish): Gate {
  const { current } = facts;
  if (current === undefined) return { gate: 'newer', passed: true, message: 'nothing is installed yet' };
  if (current === release.version) return { gate: 'newer', passed: false, message: `${current} is what runs` };
  if (compareVersions(release.version, current) > 0) {
    return { gate: 'newer', passed: true, message: `${release.version} is newer than ${current}` };
  }
  const passed = wish.force.includes('downgrade');
  const message = `${release.version} is not newer than ${current}, which runs${passed ? '; asked for all the same' : ''}`;
  return { gate: 'newer', passed, message };
}

function fittingArtifact(release: Release, facts: Facts): Artifact | undefined {
  const fitting = release.artifacts.filter(
    (artifact) => artifact.arch === facts.arch && (artifact.libc === facts.libc || artifact.libc === 'static'),
  );
  return fitting.find((artifact) => artifact.libc === facts.libc) ?? fitting[0];
}

function gatePlatform(release: Release, artifact: Artifact | undefined, facts: Facts): Gate {
  const platform = `linux/${facts.arch}/${facts.libc}`;
  return artifact === undefined
    ? { gate: 'platform', passed: false, message: `${release.version} has no artifact for ${platform}` }
    : { gate: 'platform', passed: true, message: `${release.version} has an artifact for ${platform}` };
}

function gateNotBefore(release: Release, facts: Facts, wish: Wish): Gate {
  const { notBefore } = release;
  if (notBefore === undefined || notBefore <= facts.now || wish.to !== undefined) {
    return { gate: 'not-before', passed: true, message: 'its publisher does not hold it back' };
  }
  const message = `its publisher holds ${release.version} back for now`;
  return { gate: 'not-before', passed: false, message, opens: notBefore };
}

function gateRollout(manifest: Manifest, release: Release, facts: Facts, wish: Wish): Gate {
  const { rollout } = manifest;
  if (rollout?.version !== release.version) {
    return { gate: 'rollout', passed: true, message: 'it is offered to every node' };
  }
  if (wish.to !== undefined || wish.force.includes('rollout')) {
    return { gate: 'rollout', passed: true, message: 'asked for by name: the rollout does not matter' };
  }
  if (belowMinimum(manifest, facts)) {
    return {
      gate: 'rollout',
      passed: true,
      message: `below the minimum ${manifest.minimum ?? ''}: the rollout does not matter`,
    };
  }
  return inRollout(facts.place, rollout)
    ? { gate: 'rollout', passed: true, message: 'the rollout has reached this node' }
    : { gate: 'rollout', passed: false, message: `the rollout of ${release.version} has not reached this node yet` };
}

function gateQuarantine(release: Release, facts: Facts, wish: Wish): Gate {
  const entry = facts.quarantined.get(release.version);
  if (entry !== undefined && wish.force.includes('quarantine')) {
    return { gate: 'quarantine', passed: true, message: 'it is in quarantine, and tried again on request' };
  }
  return quarantineGate(release.version, entry);
}

/**
 * The fallback puts back the binary alone: where the data would not fit it any more, a backup of the data goes with it, or a
 * person decides. No backup is a way back where its publisher says `never`.
 */
function gateEpoch(release: Release, { data, backup }: Facts, wish: Wish): Gate {
  const step = crossing(data, release);
  if (step === undefined || data === undefined) {
    return { gate: 'epoch', passed: true, message: 'it can be put back on the data as it will be' };
  }
  const moves = `it moves the data from epoch ${data.epoch} to ${release.epoch}`;
  if (step === 'forward' && release.rollback === 'restore-data' && backup === 'configured') {
    return { gate: 'epoch', passed: true, message: `${moves}; the data is backed up first, and put back if it fails` };
  }
  const message = `${moves}, and ${CONSEQUENCE[step]}`;
  return wish.force.includes('epoch')
    ? { gate: 'epoch', passed: true, message: `${message}; asked for all the same` }
    : { gate: 'epoch', passed: false, message };
}

const CONSEQUENCE = {
  forward: 'the version before could not run on it again',
  back: 'the publisher does not say that it can run on it',
} as const;

/** For who only knows whether a version is in quarantine. */
export function quarantineGate(version: Version, entry: QuarantineReason | undefined): Gate {
  return entry === undefined
    ? { gate: 'quarantine', passed: true, message: 'it is not in quarantine on this host' }
    : { gate: 'quarantine', passed: false, message: `${version} ${describeQuarantine(entry)}` };
}

/** Completes "VERSION …". Only a failed health gate is the version's own failure. */
export function describeQuarantine({ cause, message }: QuarantineReason): string {
  return cause === 'gate' ? `failed here: ${message}` : `is in quarantine: ${message}`;
}
