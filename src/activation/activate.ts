import { linkText } from '../layout.ts';
import type { Version } from '../release.ts';
import type { ActivationContext } from './context.ts';

/**
 * Switches `current` in one rename(2). The old version still runs: only the restart that follows is downtime. Should it
 * end by itself in between, systemd starts the candidate, which is what was to come. Idempotent.
 */
export async function activate(to: Version, context: ActivationContext): Promise<void> {
  await context.files.switchLink(linkText(to), context.layout.current);
}
