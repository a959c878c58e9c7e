/**
 * Files that the configuration names, looked at as whoever uses them does: what is mistyped there is found by `config --check`
 * and not by the next run.
 */
import type { Loaded } from '../config/load.ts';
import type { Entry } from '../config/merge.ts';
import type { Problem } from '../config/problems.ts';
import { errnoOf, UpdaterError } from '../errors.ts';
import { loadAuthorities } from '../fetch/authorities.ts';
import type { NodeSettings } from '../settings.ts';
import { loadKeys } from '../trust/keys.ts';

/** Of what `loaded` holds without an error. What this user may not read is warned of: the updater is root. */
export async function namedFiles({ settings, global, nodes }: Loaded): Promise<readonly Problem[]> {
  const { caFile } = settings.global.fetch;
  const authorities = await problemOf(() => loadAuthorities(caFile), 'fetch.ca_file', 'all', global);
  const keys = await Promise.all(settings.nodes.map((node) => keyProblems(node, nodes.get(node.node) ?? [])));
  return [...authorities, ...keys.flat()];
}

async function keyProblems({ node, trust }: NodeSettings, entries: readonly Entry[]): Promise<readonly Problem[]> {
  const problems = await Promise.all(
    trust.keys.map((key, at) => problemOf(() => loadKeys([key]), `trust.keys[${at}]`, node, entries)),
  );
  return problems.flat();
}

async function problemOf(
  read: () => Promise<unknown>,
  key: string,
  stops: Problem['stops'],
  entries: readonly Entry[],
): Promise<readonly Problem[]> {
  try {
    await read();
    return [];
  } catch (error) {
    if (!(error instanceof UpdaterError)) throw error;
    const place = entries.find((entry) => key.startsWith(entry.key))?.origin ?? { type: 'default' };
    const severity = errnoOf(error.cause) === 'EACCES' ? 'warning' : 'error';
    const message = `names a file that will not do: ${error.message.replace(/\.$/, '')}.`;
    return [{ severity, code: 'CONFIG_INVALID', stops, place, key, message, remedy: error.remedy }];
  }
}
