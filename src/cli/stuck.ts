/** The fallback that cannot do its work: what it said, and what a person can do. */
import { stat } from 'node:fs/promises';
import { readVersionLink } from '../activation/links.ts';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { Run } from '../host/ports.ts';
import type { NodeLayout } from '../layout.ts';
import type { NodeName } from '../release.ts';
import { revertUnit } from './units.ts';

const TIMEOUT = 10_000;

/** ACTIVATE_REVERT: a person is needed, exit 4. */
export async function revertFailed(node: NodeName, layout: NodeLayout, run: Run): Promise<UpdaterError> {
  const said = await lastWords(node, run);
  const gone = said.includes(layout.fallback) ? undefined : await goneFallback(layout);
  const mend = gone === undefined ? '' : `Put the directory ${gone} back, or keep what runs: rm ${layout.fallback}. `;
  return new UpdaterError('ACTIVATE_REVERT', `systemd cannot put ${node} back${said === '' ? '' : `: ${said}`}`, {
    remedy: `${mend}When that is mended it goes on by itself. All that it said: journalctl -u ${revertUnit(node)} -n 20`,
  });
}

/** In one line; empty where the journal does not tell. */
async function lastWords(node: NodeName, run: Run): Promise<string> {
  const command = ['journalctl', '--quiet', '-o', 'cat', '-n', '1', '-u', revertUnit(node)];
  try {
    const { status, stdout } = await run([...command, 'SYSLOG_IDENTIFIER=node-updater'], { timeout: TIMEOUT });
    return status === 0 ? stdout.toString('utf8').trim().replace(/\.$/, '') : '';
  } catch (error) {
    if (error instanceof UpdaterError) return `the journal cannot be read (${error.message})`;
    throw error;
  }
}

async function goneFallback(layout: NodeLayout): Promise<string | undefined> {
  const version = await readVersionLink(layout.fallback);
  if (version === undefined) return undefined;
  try {
    await stat(layout.fallback);
    return undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return `${layout.versions}/${version}`;
    throw error;
  }
}
