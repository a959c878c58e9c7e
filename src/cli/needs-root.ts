import { UpdaterError } from '../errors.ts';
import type { Host } from './host.ts';

/** USAGE_NOT_PERMITTED, with the command as it was typed, so that it can be typed again. Pure. */
export function needsRoot(what: string, { argv }: Pick<Host, 'argv'>): UpdaterError {
  return new UpdaterError('USAGE_NOT_PERMITTED', `${what} needs root`, {
    remedy: `Type: sudo node-updater ${argv.map(forShell).join(' ')}`,
  });
}

/** A fingerprint in groups is one word. */
function forShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
