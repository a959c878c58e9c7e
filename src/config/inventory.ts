/** Which files there are. A file that is not read is never passed over in silence, but for hidden ones (editors' own). */
import type { Layout } from '../layout.ts';
import { parseNodeName, type NodeName } from '../release.ts';
import { kindOfName, listConfigDirectory } from './files.ts';
import type { Problem } from './problems.ts';

export interface NodeFile {
  readonly node: NodeName;
  readonly file: string;
}

interface Listing {
  readonly names: readonly string[];
  readonly problems: readonly Problem[];
}

/** Drop-ins in the order in which they apply: by name; a name in a higher directory replaces the lower one. */
export function findDropIns(layout: Layout, uid: number): { files: readonly string[]; problems: readonly Problem[] } {
  const byName = new Map<string, string>();
  const problems: Problem[] = [];
  for (const directory of layout.globalDropIns) {
    const listing = list(directory, 'all', uid);
    problems.push(...listing.problems);
    for (const name of listing.names) byName.set(name, `${directory}/${name}`);
  }
  const files = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file);
  return { files, problems };
}

export function findNodeFiles(
  layout: Layout,
  uid: number,
): { nodes: readonly NodeFile[]; problems: readonly Problem[] } {
  const listing = list(layout.nodes, 'none', uid);
  const nodes: NodeFile[] = [];
  const problems = [...listing.problems];
  for (const name of listing.names) {
    const file = `${layout.nodes}/${name}`;
    const node = parseNodeName(name.slice(0, -'.toml'.length));
    if (node !== undefined && !isOurs(node)) nodes.push({ node, file });
    else problems.push(badName(file, node));
  }
  return { nodes, problems };
}

/** A node of such a name would be one of our own units. */
function isOurs(node: NodeName): boolean {
  return /^node-updater([@-]|$)/.test(node);
}

function badName(file: string, node: NodeName | undefined): Problem {
  const message =
    node === undefined
      ? 'is not named for a node: the name is that of its unit without .service (letters, digits, ".", "_", "-", NAME@INSTANCE), then .toml.'
      : `is named for a unit of node-updater itself, ${node}.`;
  return problem(file, 'none', message, `Rename ${file}.`);
}

/** The names that end in .toml; each other name is a problem of `stops`, or a warning where some tool left it behind. */
function list(directory: string, stops: Problem['stops'], uid: number): Listing {
  const names = listConfigDirectory(directory, uid);
  if (!names.ok) {
    const unsafe: Problem = {
      ...problem(directory, 'all', names.why, `chmod 0755 ${directory}`),
      code: 'CONFIG_UNSAFE_FILE',
    };
    return { names: [], problems: [unsafe] };
  }
  const problems = names.value.flatMap((name): Problem[] => {
    const file = `${directory}/${name}`;
    const kind = kindOfName(name);
    if (kind === 'file' || kind === 'hidden') return [];
    if (kind === 'wrong') {
      const message = `is not read: its name does not end in .toml. Did you mean ${name.replace(/\.[^.]*$/, '')}.toml?`;
      return [problem(file, stops, message, `Rename ${file}, or move it elsewhere.`)];
    }
    const message = 'is not read: it looks like a copy that an editor or a package manager left.';
    return [{ ...problem(file, stops, message, `Remove ${file} when it is no longer needed.`), severity: 'warning' }];
  });
  return { names: names.value.filter((name) => kindOfName(name) === 'file'), problems };
}

function problem(file: string, stops: Problem['stops'], message: string, remedy: string): Problem {
  return { severity: 'error', code: 'CONFIG_INVALID', stops, place: { type: 'file', file }, message, remedy };
}
