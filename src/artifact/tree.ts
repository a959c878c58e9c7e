/**
 * What the entries make together. Threat: an archive whose entries are harmless alone and not together, such as a link
 * and then a file written through it, two names that are one on some file system, or links that lead outside in steps. So
 * each path is used once, nothing lies below what is no directory, and every link is followed to its end within
 * the archive, whatever the order of the entries.
 */
import type { Entry } from './entry.ts';
import { collisionKey } from './names.ts';
import { quoted, unsafe } from './refusal.ts';

type Kind = Entry['kind'] | 'implied';

export interface Tree {
  /** Throws ARTIFACT_UNSAFE when the entry does not fit what came before. */
  add(entry: Entry): void;
  /** Every directory of the release without the root, parents first, also those that have no entry of their own. */
  directories(): string[];
  /** Follows every link; to be called when all entries are in. */
  checkLinks(): void;
}

interface Nodes {
  readonly kinds: Map<string, Kind>;
  /** What name has a collision key; a second name for a key is refused. */
  readonly names: Map<string, string>;
  readonly targets: Map<string, string>;
}

const MAX_HOPS = 40; // the kernel's own limit (path_resolution(7))

export function emptyTree(): Tree {
  const nodes: Nodes = { kinds: new Map([['', 'implied']]), names: new Map([['', '']]), targets: new Map() };
  return {
    add: (entry) => {
      add(nodes, entry);
    },
    directories: () => directories(nodes),
    checkLinks: () => {
      for (const path of nodes.targets.keys()) checkLink(nodes, path);
    },
  };
}

function add(nodes: Nodes, entry: Entry): void {
  addParents(nodes, entry.path);
  const before = nodes.kinds.get(entry.path);
  const statesImplied = before === 'implied' && entry.kind === 'directory';
  if (before !== undefined && !statesImplied) throw unsafe(`${quoted(entry.path)} is in it twice`);
  setKind(nodes, entry.path, entry.kind);
  if (entry.kind === 'link') nodes.targets.set(entry.path, entry.target);
}

function addParents(nodes: Nodes, path: string): void {
  const parent = parentOf(path);
  const kind = nodes.kinds.get(parent);
  if (kind === 'directory' || kind === 'implied') return;
  if (kind !== undefined) throw unsafe(`${quoted(path)} lies below ${quoted(parent)}, which is no directory`);
  addParents(nodes, parent);
  setKind(nodes, parent, 'implied');
}

function setKind(nodes: Nodes, path: string, kind: Kind): void {
  const key = collisionKey(path);
  const name = nodes.names.get(key);
  if (name !== undefined && name !== path) {
    throw unsafe(`${quoted(name)} and ${quoted(path)} are one name on some file systems`);
  }
  nodes.names.set(key, path);
  nodes.kinds.set(path, kind);
}

function directories(nodes: Nodes): string[] {
  const found: string[] = [];
  for (const [path, kind] of nodes.kinds) {
    if (path !== '' && (kind === 'directory' || kind === 'implied')) found.push(path);
  }
  return found;
}

/** Walks as the kernel would, with the root of the release as the wall. */
function checkLink(nodes: Nodes, link: string): void {
  let place = link;
  let ahead: string[] = [];
  for (let hops = 0; ;) {
    const target = nodes.targets.get(place);
    if (target !== undefined) {
      if (++hops > MAX_HOPS) throw unsafe(`the link ${quoted(link)} leads round in a circle`);
      ahead = [...target.split('/'), ...ahead];
      place = parentOf(place);
    }
    const part = ahead.shift();
    if (part === undefined) return;
    place = step(nodes, link, place, part);
  }
}

function step(nodes: Nodes, link: string, place: string, part: string): string {
  const kind = nodes.kinds.get(place);
  if (kind !== 'directory' && kind !== 'implied') throw unsafe(`the link ${quoted(link)} leads through a file`);
  if (part === '' || part === '.') return place;
  if (part === '..') {
    if (place === '') throw unsafe(`the link ${quoted(link)} leads out of the release`);
    return parentOf(place);
  }
  const next = place === '' ? part : `${place}/${part}`;
  if (!nodes.kinds.has(next)) throw unsafe(`the link ${quoted(link)} leads to nothing in the archive`);
  return next;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
