/**
 * Remembers a configuration that was found good, by what its files look like: what judges one takes longer to load than all
 * the rest of `status`. Only what is good is remembered, and only by root: of a broken one, or of one that changed by a
 * byte, everything is read again.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { NO_SETTING } from '../config/no-setting.ts';
import { errnoOf, UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { NodeName } from '../release.ts';
import type { ConfigView } from './config-view.ts';
import type { Host } from './host.ts';

interface GoodConfig {
  readonly schema: 1;
  readonly looks: string;
  /** Of each node, in milliseconds. */
  readonly intervals: Readonly<Record<NodeName, number>>;
}

type MemoHost = Pick<Host, 'layout' | 'env' | 'uid' | 'version' | 'buildTime' | 'files'>;

/** Undefined when it cannot be told: a directory that this user may not see, or a variable that sets a key. */
export async function looksOf({ buildTime, env, layout, version }: MemoHost): Promise<string | undefined> {
  const sets = Object.keys(env).some((name) => name.startsWith('NODE_UPDATER_') && !NO_SETTING.test(name));
  if (sets) return undefined;
  try {
    const files = await Promise.all([...layout.globalDropIns, layout.nodes].map(pathsIn));
    const looks = await Promise.all([layout.globalConfig, ...files.flat()].map(lookOf));
    return [version, String(buildTime), ...looks].join('\n');
  } catch (error) {
    if (errnoOf(error) === 'EACCES') return undefined;
    throw error;
  }
}

/** The directory itself, and what is in it. */
async function pathsIn(directory: string): Promise<string[]> {
  const names = await ifThere(readdir(directory), undefined);
  return names === undefined ? [] : [directory, ...names.sort().map((name) => `${directory}/${name}`)];
}

async function lookOf(path: string): Promise<string> {
  const found = await ifThere(stat(path, { bigint: true }), undefined);
  if (found === undefined) return `${path} -`;
  const { ctimeNs, dev, gid, ino, mode, mtimeNs, size, uid } = found;
  return [path, dev, ino, size, mtimeNs, ctimeNs, mode, uid, gid].join(' ');
}

/** What is remembered, if the files look as they did then. */
export async function recallConfig(looks: string, host: MemoHost): Promise<ConfigView | undefined> {
  try {
    const good = JSON.parse(await readFile(pathOf(host), 'utf8')) as GoodConfig;
    if ((good as { schema: unknown }).schema !== 1 || good.looks !== looks) return undefined;
    const nodes = Object.entries(good.intervals) as [NodeName, number][];
    return {
      general: [],
      stops: 'none',
      nodes: new Map(nodes.map(([node, interval]) => [node, { errors: [], interval }])),
    };
  } catch (error) {
    // It is only a memory: without it, or with half of one, everything is read again.
    if (error instanceof SyntaxError || errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}

export async function rememberConfig(looks: string, view: ConfigView, host: MemoHost): Promise<void> {
  const intervals: Record<string, number> = {};
  for (const [node, { errors, interval }] of view.nodes) {
    if (errors.length > 0 || interval === undefined) return;
    intervals[node] = interval;
  }
  if (host.uid !== 0 || view.general.length > 0) return;
  const good: GoodConfig = { schema: 1, looks, intervals };
  try {
    await (await host.files()).replace(pathOf(host), JSON.stringify(good), 0o644);
  } catch (error) {
    // To look must work on a disk that is full or read-only; what is wrong with it is for others to say.
    if (!(error instanceof UpdaterError)) throw error;
  }
}

/** No node's name begins with a dot. */
function pathOf({ layout }: MemoHost): string {
  return `${layout.state}/.good-config.json`;
}
