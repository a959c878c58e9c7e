import { readFile } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { ActivationContext } from './context.ts';
import { OURS, renderNodeDropIn, renderProbeDropIn, renderUnit } from './unit-file.ts';

/**
 * Brings the generated files in /etc/systemd/system to what the configuration says, and reloads systemd if one changed.
 * With nothing to change nothing is written, so an upgrade works on a read-only /etc. Throws HOST_UNIT rather than replace a
 * file that somebody else wrote. Idempotent.
 */
export async function ensureUnits(context: ActivationContext): Promise<void> {
  const { bus, files, layout, log, settings, unit } = context;
  const wanted = new Map<string, string>();
  if (settings.unit !== undefined) wanted.set(layout.unitFile, renderUnit(settings));
  wanted.set(layout.unitDropIn, renderNodeDropIn(settings.node));
  const user = settings.unit?.user ?? (await bus.facts(unit)).service?.user ?? '';
  const group = settings.unit?.group;
  if (user !== '')
    wanted.set(layout.probeDropIn, renderProbeDropIn({ user, ...(group === undefined ? {} : { group }) }));
  const stale: string[] = [];
  for (const [path, text] of wanted) {
    const before = await ifThere(readFile(path, 'utf8'), undefined);
    if (before !== undefined && !before.startsWith(OURS)) throw notOurs(path, settings.file);
    if (before !== text) stale.push(path);
  }
  for (const path of stale) {
    await files.makeDirectory(path.replace(/\/[^/]+$/, ''), 0o755);
    await files.replace(path, wanted.get(path) ?? '', 0o644);
    log.info(`Wrote ${path}`);
  }
  if (stale.length > 0) await bus.reload();
}

/** An operator's, a package's, or the link of `systemctl mask`: none of them is for us to replace. */
function notOurs(path: string, file: string): UpdaterError {
  return new UpdaterError('HOST_UNIT', `${path} is there, and node-updater did not write it`, {
    remedy: `To keep it, remove the [unit] table from ${file}. To have it written from there: mv ${path} ${path}.before`,
  });
}
