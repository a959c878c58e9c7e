/** That what a node is to be put on, long after it was staged, is still what was staged. Before anything is stopped. */
import { UpdaterError } from '../errors.ts';
import type { Version } from '../release.ts';
import type { ActivationContext } from './context.ts';
import type { Transition } from './preflight.ts';
import { verifyVersion, type Verdict } from './verify-version.ts';

/**
 * What was unpacked a moment ago is not read again. A drill puts the version back that runs. Throws HOST_DAMAGED, DISK_; a
 * version of which nothing is known is only told of.
 */
export async function checkWhole(
  transition: Transition,
  { layout, settings, heartbeat, log }: ActivationContext,
): Promise<void> {
  const version = versionToRead(transition);
  if (version === undefined || transition.forced.includes('damaged')) return;
  heartbeat.status(`Reading ${version}`);
  const verdict = await verifyVersion(version, layout, () => {
    heartbeat.beat();
  });
  if (verdict.state === 'unverifiable') log.info(`The files of ${version} cannot be verified: ${verdict.why}`);
  if (verdict.state !== 'damaged') return;
  throw damagedVersion(version, verdict, remedyFor(transition.action, version, settings.node));
}

function versionToRead({ action, from, to }: Transition): Version | undefined {
  if (action === 'drill') return from;
  return action === 'rollback' || (action === 'restore' && to !== from) ? to : undefined;
}

function remedyFor(action: Transition['action'], version: Version, node: string): string {
  if (action === 'drill') return elsewhereFirst(version, node);
  return action === 'rollback' ? cleanCopyOrForce(version, node) : cleanCopy(version, node);
}

export function damagedVersion(
  version: Version,
  { differences, count }: Extract<Verdict, { state: 'damaged' }>,
  remedy: string,
): UpdaterError {
  const [first] = differences;
  const more = count > 1 ? `, and ${count - 1} more` : '';
  const what = first === undefined ? '' : `: ${first.path} ${first.message}`;
  return new UpdaterError('HOST_DAMAGED', `${version} is not what was staged${what}${more}`, { remedy });
}

/** Who rolls back knows best what must run now. */
export function cleanCopyOrForce(version: Version, node: string): string {
  return `${cleanCopy(version, node)}. To go there all the same: sudo node-updater rollback ${node} --to ${version} --force damaged`;
}

/** A command that brings one, for a version that does not run. No full stop: more may follow. */
export function cleanCopy(version: Version, node: string): string {
  return `For a clean copy: sudo node-updater versions ${node} --restage ${version}`;
}

/** For the version that runs. */
export function elsewhereFirst(version: Version, node: string): string {
  return `${version} runs, so it cannot be replaced: first go to another version (sudo node-updater upgrade ${node}, or rollback ${node}), then: sudo node-updater versions ${node} --restage ${version}`;
}
