/** The configuration for who only looks: what is wrong with it, and how often each node is looked at. */
import { accessSync, constants } from 'node:fs';
import type { Problem } from '../config/problems.ts';
import { errnoOf, type ErrorCode } from '../errors.ts';
import type { NodeName } from '../release.ts';
import { looksOf, recallConfig, rememberConfig } from './good-config.ts';
import type { Host } from './host.ts';

/** What is wrong and what to do about it, as every report carries it. */
export interface Trouble {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

export interface ConfigView {
  /** Errors that are no single node's: they stop all nodes, or say of a file that it is read by nobody. */
  readonly general: readonly Trouble[];
  /** Whether one of `general` stops every node. */
  readonly stops: 'all' | 'none';
  readonly nodes: ReadonlyMap<NodeName, NodeConfig>;
}

export interface NodeConfig {
  /** Milliseconds; undefined where the node's configuration has errors, or may not be read by this user. */
  readonly interval?: number;
  readonly errors: readonly Trouble[];
}

type LookingHost = Pick<Host, 'layout' | 'env' | 'uid' | 'version' | 'buildTime' | 'files'>;

/** Never fails. What this user may not read is no error: the updater is root. */
export async function viewConfig(host: LookingHost): Promise<ConfigView> {
  const looks = await looksOf(host);
  if (looks === undefined) return readConfig(host);
  const known = await recallConfig(looks, host);
  if (known !== undefined) return known;
  const view = await readConfig(host);
  await rememberConfig(looks, view, host);
  return view;
}

/** What reads and judges the files is loaded here alone: it is dear. */
async function readConfig(host: LookingHost): Promise<ConfigView> {
  const [{ loadSettings }, { describeProblem }] = await Promise.all([
    import('../config/load.ts'),
    import('../config/problems.ts'),
  ]);
  const { nodes, problems, settings } = loadSettings(host.layout, host.env, host.uid);
  const errors = problems.filter((problem) => problem.severity === 'error' && !isClosed(problem));
  const troubleOf = (problem: Problem): Trouble => {
    return { code: problem.code, message: describeProblem(problem), remedy: problem.remedy };
  };
  const troublesOf = (node: NodeName) => errors.filter(({ stops }) => stops === node).map(troubleOf);
  const intervals = new Map(settings.nodes.map(({ node, interval }) => [node, interval]));
  return {
    general: errors.filter(({ stops }) => stops === 'all' || stops === 'none').map(troubleOf),
    stops: errors.some(({ stops }) => stops === 'all') ? 'all' : 'none',
    nodes: new Map(
      [...nodes.keys()].map((node): [NodeName, NodeConfig] => {
        const interval = intervals.get(node);
        return [node, { errors: troublesOf(node), ...(interval === undefined ? {} : { interval }) }];
      }),
    ),
  };
}

/** Root can read everything, so for root nothing is closed. */
function isClosed({ place }: Problem): boolean {
  if (place.type !== 'file') return false;
  try {
    accessSync(place.file, constants.R_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === 'EACCES';
  }
}
