import { UpdaterError } from '../errors.ts';
import type { Version } from '../release.ts';
import { elsewhereFirst } from './check-whole.ts';
import type { ActivationContext } from './context.ts';
import { readLinks } from './links.ts';
import { isInUse, removeVersion } from './remove-version.ts';

/**
 * Removes a staged version, so that a clean copy of it can be staged; never one that a link names or of which a program runs.
 * Throws HOST_STATE, DISK_.
 */
export async function makeWay(
  version: Version,
  { layout, files, settings }: Pick<ActivationContext, 'layout' | 'files' | 'settings'>,
): Promise<void> {
  const { current, fallback } = await readLinks(layout);
  if (version === current || version === fallback) throw runs(version, settings.node);
  if (await isInUse(version, layout)) {
    throw new UpdaterError('HOST_STATE', `A program of ${version} still runs, although ${settings.node} does not`, {
      remedy: `See which: pgrep -af ${layout.versions}/${version}/. End it, then type the command again.`,
    });
  }
  await removeVersion(version, layout, files);
}

export function runs(version: Version, node: string): UpdaterError {
  return new UpdaterError('HOST_STATE', `${version} is what ${node} runs, or would be put back on`, {
    remedy: elsewhereFirst(version, node),
  });
}
