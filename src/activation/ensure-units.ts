import { readFile } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';
import type { ActivationContext } from './context.ts';
import { renderNodeDropIn, renderProbeDropIn, renderUnit } from './unit-file.ts';

/**
 * Brings the generated files in /etc/systemd/system to what the configuration says, and reloads systemd if one changed.
 * With nothing to change nothing is written, so an upgrade works on a read-only /etc. Idempotent.
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
  let changed = 0;
  for (const [path, text] of wanted) {
    if ((await readOrUndefined(path)) === text) continue;
    await files.makeDirectory(path.replace(/\/[^/]+$/, ''), 0o755);
    await files.replace(path, text, 0o644);
    log.info(`Wrote ${path}`);
    changed++;
  }
  if (changed > 0) await bus.reload();
}

async function readOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
