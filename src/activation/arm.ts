import { UpdaterError } from '../errors.ts';
import { linkText } from '../layout.ts';
import type { Version } from '../release.ts';
import type { ActivationContext } from './context.ts';
import { readLinks } from './links.ts';

/**
 * From here until the commit systemd alone returns the node to `from`, whatever becomes of this process: makes the link
 * `fallback`. Idempotent. A first installation has nothing to fall back to and only leaves the mark.
 */
export async function arm(from: Version | undefined, context: ActivationContext): Promise<void> {
  const { files, layout } = context;
  await files.makeDirectory(layout.run, 0o755);
  await files.replace(layout.openMark, '', 0o644);
  if (from === undefined) return;
  const links = await readLinks(layout);
  if (links.current !== from) {
    throw new UpdaterError('HOST_STATE', `${layout.current} names ${links.current ?? 'nothing'}, not ${from}`, {
      remedy: 'Somebody changed the link while the update was prepared. The next run looks at it afresh.',
    });
  }
  if (links.fallback === from) return;
  await files.symlink(linkText(from), layout.fallback);
}
