/**
 * A drill proves on this very host that a bad version is put back: a copy of the committed version, made to fail, goes
 * through the whole transaction. It can never be committed, quarantines nothing, and is removed at its end.
 */
import { randomUUID } from 'node:crypto';
import { failingCopy } from '../activation/failing-copy.ts';
import { readLinks } from '../activation/links.ts';
import { removeVersion } from '../activation/remove-version.ts';
import { isStaged, stageRelease, type UnpackInto } from '../activation/stage.ts';
import { UpdaterError } from '../errors.ts';
import { versionPath } from '../layout.ts';
import { parseDigest, parseVersion, type Version } from '../release.ts';
import type { MachineContext } from './context.ts';
import { passed } from './drill-passed.ts';
import { failureOf, type Answer } from './run.ts';
import type { Failure, Outcome, Transaction } from './state.ts';

const SUFFIX = '-drill';
/** What no archive has: nothing is ever unpacked for a drill. */
const NO_DIGEST = parseDigest('0'.repeat(64));
const LONGEST_VERSION = 64;

/** Throws POLICY_NO_TARGET when nothing is installed. */
export async function planDrill(request: string, { layout, settings }: MachineContext): Promise<Transaction> {
  const { current } = await readLinks(layout);
  const to = current === undefined ? undefined : drillVersion(current);
  if (current !== undefined && to !== undefined)
    return { id: randomUUID(), action: 'drill', from: current, to, request };
  throw new UpdaterError('POLICY_NO_TARGET', 'Nothing is installed, so there is nothing to drill', {
    remedy: `First install a version: sudo node-updater upgrade ${settings.node}`,
  });
}

export function drillVersion(current: Version): Version | undefined {
  return parseVersion(`${current.slice(0, LONGEST_VERSION - SUFFIX.length)}${SUFFIX}`);
}

/** The step `stage` of a drill. Throws HOST_UNIT when the unit runs nothing through `current`, and DISK_. */
export async function stageDrill({ from, to }: Transaction, context: MachineContext): Promise<Answer> {
  const { bus, layout, files, heartbeat, run, settings, unit } = context;
  if (from === undefined || NO_DIGEST === undefined) throw new TypeError('a drill has a version to copy');
  if (await isStaged(layout, to, NO_DIGEST)) await removeVersion(to, layout, files);
  const source = versionPath(layout, from);
  const facts = await bus.facts(unit);
  const copy: UnpackInto = async (directory) => {
    await failingCopy({ source, directory, current: layout.current, facts }, run);
    return 'unlisted';
  };
  const release = { version: to, digest: NO_DIGEST, entries: 0, unpackedSize: 0, binary: settings.binary };
  await heartbeat.during(stageRelease(release, copy, layout, files));
  return { event: 'ok', facts: { copied: from } };
}

/** Why a drill is not committed although everything held. */
export function unnoticed({ settings }: Pick<MachineContext, 'settings'>): UpdaterError {
  return new UpdaterError('GATE_DRILL', 'A version that fails on purpose held the whole soak: the gate is blind', {
    remedy:
      `See what the unit runs: systemctl cat ${settings.node}.service. Its program must come from the current version, ` +
      `and a probe in nodes.d/${settings.node}.toml must ask the daemon itself.`,
  });
}

/** What fails here is only told: the next `prune` takes it, and nothing takes it for a release. */
export async function removeDrill({ to }: Transaction, { layout, files, log }: MachineContext): Promise<void> {
  try {
    if (NO_DIGEST !== undefined && (await isStaged(layout, to, NO_DIGEST))) await removeVersion(to, layout, files);
  } catch (error) {
    log.warn(`What was made for the drill stays: ${failureOf(error).message}`);
  }
}

export function describeDrill({ from }: Transaction, outcome: Outcome, failure: Failure | undefined): string {
  const why = failure === undefined ? '' : `: ${failure.message}`;
  const version = from ?? 'the version';
  switch (outcome) {
    case 'rolled-back':
      if (passed(failure)) return `The drill went as it should: ${version} was put back and is healthy.`;
      return `The drill failed, and ${version} was put back${why}.`;
    case 'rollback-failed':
      return `The drill failed: ${version} was put back and is not healthy${why}. A person is needed.`;
    case 'stopped-by-operator':
      return `The drill ended because the node was stopped by its operator; ${version} is current, and it stays stopped.`;
    case 'unchanged':
    case 'committed':
      return `There was no drill, the node is unchanged${why}.`;
  }
}
