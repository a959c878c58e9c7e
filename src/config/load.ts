/**
 * The configuration of this host as `Settings`, with everything that is wrong with it. One broken node file does not stop
 * the other nodes; a broken global file stops all (its keys are limits, and a limit that is guessed is none).
 */
import { UpdaterError } from '../errors.ts';
import type { Layout } from '../layout.ts';
import type { NodeName } from '../release.ts';
import type { NodeSettings, Settings } from '../settings.ts';
import { readEnvironment, type Environment, type ReadEnvironment } from './environment.ts';
import { checkFragment, mend, readFragment, type Fragment, type ReadFragment } from './fragment.ts';
import { readConfigFile } from './files.ts';
import { deepFreeze } from './freeze.ts';
import { GLOBAL_DEFAULTS, globalSettings } from './global.ts';
import { findDropIns, findNodeFiles, type NodeFile } from './inventory.ts';
import { merge, type Entry } from './merge.ts';
import { buildNode, missingKeys, nodeDefaults } from './node.ts';
import { configError, writeKey, type Complaint, type Place, type Problem } from './problems.ts';
import { globalSchema, nodeSchema } from './schema.ts';
import { sharedData } from './shared.ts';
import { didYouMean } from './suggest.ts';

export interface Loaded {
  /** Only nodes without an error of their own. */
  readonly settings: Settings;
  /** By file and line. */
  readonly problems: readonly Problem[];
  /** Every key that holds, with where it came from. */
  readonly global: readonly Entry[];
  /** One for each node file with a proper name, broken or not, in name order. */
  readonly nodes: ReadonlyMap<NodeName, readonly Entry[]>;
}

/**
 * @param env the process's environment (NODE_UPDATER_…)
 * @param uid the effective user id: its files are trusted beside root's
 */
export function loadSettings(layout: Layout, env: Environment, uid: number): Loaded {
  const files = findNodeFiles(layout, uid);
  const environment = readEnvironment(
    env,
    files.nodes.map(({ node }) => node),
  );
  const global = loadGlobal(layout, environment, uid);
  const nodes = files.nodes.map((file) => ({ file, ...loadNode(file, layout, environment, uid) }));
  const built = nodes.flatMap(({ settings }) => (settings === undefined ? [] : [settings]));
  const parts = [files, environment, global, ...nodes, { problems: sharedData(built) }];
  const problems = parts.flatMap((part) => part.problems);
  const refused = new Set(problems.flatMap(({ severity, stops }) => (severity === 'error' ? [stops] : [])));
  return deepFreeze({
    settings: { global: globalSettings(global.raw), nodes: built.filter(({ node }) => !refused.has(node)) },
    problems: problems.sort(byPlace),
    global: global.entries,
    nodes: new Map(nodes.map(({ file, entries }) => [file.node, entries])),
  });
}

/** Errors that keep a transaction of `node` from running. */
export function problemsOf(loaded: Loaded, node: NodeName): Problem[] {
  return loaded.problems.filter(({ severity, stops }) => severity === 'error' && (stops === 'all' || stops === node));
}

/** The node of that name, broken or not. Throws CONFIG_UNKNOWN_NODE. */
export function findNode(loaded: Loaded, name: string): NodeName {
  const known = [...loaded.nodes.keys()];
  const node = known.find((candidate) => candidate === name);
  if (node !== undefined) return node;
  throw new UpdaterError(
    'CONFIG_UNKNOWN_NODE',
    `There is no node ${JSON.stringify(name)}.${didYouMean(name.replace(/^.*\/|\.(toml|service)$/g, ''), known)}`,
    {
      remedy: known.length === 0 ? 'Add a file to nodes.d first.' : `The nodes of this host: ${known.join(', ')}.`,
    },
  );
}

/** The settings of the node of that name. Throws CONFIG_UNKNOWN_NODE, or the CONFIG_ error that says all its problems. */
export function requireNode(loaded: Loaded, name: string): NodeSettings {
  const node = findNode(loaded, name);
  const [first, ...others] = problemsOf(loaded, node);
  if (first !== undefined) throw configError([first, ...others]);
  const settings = loaded.settings.nodes.find((candidate) => candidate.node === node);
  if (settings !== undefined) return settings;
  throw new UpdaterError('INTERNAL', `the node ${node} has neither settings nor a problem`, {
    remedy:
      'This is a fault in node-updater. Please report it with the output of `node-updater config --check --json`.',
  });
}

function loadGlobal(layout: Layout, environment: ReadEnvironment, uid: number) {
  const dropIns = findDropIns(layout, uid);
  const read = [layout.globalConfig, ...dropIns.files].map((file) => readOne(file, globalSchema, 'all', uid));
  const checked = environment.global.map((fragment) => checkFragment(fragment, globalSchema, 'all'));
  const merged = merge([GLOBAL_DEFAULTS, ...[...read, ...checked].map(({ fragment }) => fragment)]);
  return { ...merged, problems: [dropIns, ...read, ...checked].flatMap(({ problems }) => problems) };
}

interface LoadedNode {
  readonly settings: NodeSettings | undefined;
  readonly entries: readonly Entry[];
  readonly problems: readonly Problem[];
}

function loadNode({ node, file }: NodeFile, layout: Layout, environment: ReadEnvironment, uid: number): LoadedNode {
  const parts = [
    readOne(file, nodeSchema, node, uid),
    ...environment.nodes(node).map((fragment) => checkFragment(fragment, nodeSchema, node)),
  ];
  const said = parts.map(({ fragment }) => fragment);
  const merged = merge([nodeDefaults(node, merge(said).raw), ...said]);
  const tell = (complaint: Complaint) => problemOf(complaint, node, merged.placeOf(complaint.path));
  const problems = parts.flatMap((part) => part.problems);
  // Of a file that could not be read, nobody knows what it lacks.
  if (!problems.some(({ key }) => key === undefined)) problems.push(...missingKeys(merged.raw).map(tell));
  if (problems.length > 0) return { settings: undefined, entries: merged.entries, problems };
  const built = buildNode(merged.raw, { node, file, layout });
  return {
    settings: built.settings,
    entries: merged.entries,
    problems: built.complaints.map(tell),
  };
}

function problemOf({ path, message }: Complaint, node: NodeName, place: Place): Problem {
  return {
    severity: 'error',
    code: 'CONFIG_INVALID',
    stops: node,
    place,
    key: writeKey(path),
    message,
    remedy: mend(place),
  };
}

/** A file that is not there sets nothing: only the main file can be missing, the others were listed. */
function readOne(file: string, schema: typeof globalSchema | typeof nodeSchema, stops: Problem['stops'], uid: number) {
  const reading = readConfigFile(file, uid);
  if (reading.type === 'text') return readFragment(file, reading.text, schema, stops);
  const place: Place = { type: 'file', file };
  const fragment: Fragment = { raw: {}, placeOf: () => place };
  if (reading.type === 'absent') return { fragment, problems: [] } satisfies ReadFragment;
  const { code, message, remedy } = reading;
  return { fragment, problems: [{ severity: 'error', code, stops, place, message, remedy }] } satisfies ReadFragment;
}

function byPlace(a: Problem, b: Problem): number {
  const where = ({ place }: Problem) => (place.type === 'file' ? place.file : '');
  const line = ({ place }: Problem) => (place.type === 'file' ? (place.line ?? 0) : 0);
  return where(a) === where(b) ? line(a) - line(b) : where(a) < where(b) ? -1 : 1;
}
