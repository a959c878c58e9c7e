/**
 * NODE_UPDATER_<KEY> overrides a global key, NODE_UPDATER_<NODE>_<KEY> one of a node; `.` and `-` become `_`. Where the key
 * holds an array or a table, the variable holds it as TOML writes it: `["a", "b"]`.
 */
import { parse, TomlError } from 'smol-toml';
import type { NodeName } from '../release.ts';
import { mend, type Fragment, type Table } from './fragment.ts';
import { NO_SETTING } from './no-setting.ts';
import type { Place, Problem } from './problems.ts';
import { globalSchema, nodeSchema } from './schema.ts';
import { leaves, type Leaf } from './shape.ts';
import { didYouMean } from './suggest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'NODE_UPDATER_';

/** What a variable sets: a key of the global settings, or of one node. */
interface Target {
  readonly scope: 'all' | NodeName;
  readonly leaf: Leaf;
}

export interface ReadEnvironment {
  readonly global: readonly Fragment[];
  nodes(node: NodeName): readonly Fragment[];
  readonly problems: readonly Problem[];
}

export function readEnvironment(env: Environment, nodes: readonly NodeName[]): ReadEnvironment {
  const targets = targetsByName(nodes);
  const fragments: { scope: Target['scope']; fragment: Fragment }[] = [];
  const problems: Problem[] = [];
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith(PREFIX) || NO_SETTING.test(variable)) continue;
    const [target, ...others] = targets.get(variable) ?? [];
    const place: Place = { type: 'variable', variable };
    if (target === undefined) {
      const message = `sets no known key.${didYouMean(variable, targets.keys())}`;
      problems.push({ ...problemAt(place), stops: 'all', message });
    } else if (others.length > 0) {
      const message = 'could mean a key of more than one node; set it in their files instead.';
      for (const { scope } of [target, ...others]) problems.push({ ...problemAt(place), stops: scope, message });
    } else {
      fragments.push({ scope: target.scope, fragment: fragmentOf(target.leaf, text, place) });
    }
  }
  const of = (scope: Target['scope']) => fragments.filter((f) => f.scope === scope).map((f) => f.fragment);
  return { global: of('all'), nodes: of, problems };
}

function problemAt(place: Place) {
  return { severity: 'error', code: 'CONFIG_INVALID', place, remedy: mend(place) } as const;
}

function targetsByName(nodes: readonly NodeName[]): ReadonlyMap<string, readonly Target[]> {
  const all: Target[] = leaves(globalSchema).map((leaf) => ({ scope: 'all', leaf }));
  const perNode = leaves(nodeSchema);
  for (const scope of nodes) all.push(...perNode.map((leaf) => ({ scope, leaf })));
  return Map.groupBy(all, ({ scope, leaf }) => variableOf(scope === 'all' ? leaf.path : [scope, ...leaf.path]));
}

function variableOf(words: readonly string[]): string {
  return (
    PREFIX +
    words
      .join('_')
      .toUpperCase()
      .replaceAll(/[^A-Z0-9]/g, '_')
  );
}

function fragmentOf(leaf: Leaf, text: string, place: Place): Fragment {
  const value = valueOf(leaf, text);
  const raw = leaf.path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Table;
  return { raw, placeOf: () => place };
}

/** Text where the key takes text; else what TOML makes of it; else the text, for the schema to refuse. */
function valueOf(leaf: Leaf, text: string): unknown {
  if (!/^\s*[[{]/.test(text) && leaf.schema.safeParse(text).success) return text;
  try {
    return parse(`value = ${text}`)['value'];
  } catch (error) {
    if (error instanceof TomlError) return text;
    throw error;
  }
}
