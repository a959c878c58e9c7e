import type { NodeName } from '../release.ts';
import type { NodeSettings } from '../settings.ts';
import { overlaps } from './backup.ts';
import { mend } from './fragment.ts';
import type { Place, Problem } from './problems.ts';

/** What a node writes to, and the key that says so. */
interface Claim {
  readonly node: NodeName;
  readonly file: string;
  readonly key: string;
  readonly path: string;
}

/**
 * Two nodes on one directory would back up, restore and overwrite each other's data. (Two nodes on one unit cannot be
 * written: the file's name is the unit's.)
 */
export function sharedData(nodes: readonly NodeSettings[]): Problem[] {
  // Together: the backups of one node in the data of another would go with its restore.
  const backups = nodes.flatMap((node) => [
    ...claims(node, 'backup.directory', node.backup?.directory),
    ...claims(node, 'backup.paths', node.backup?.paths),
  ]);
  return [
    ...among(nodes.flatMap((node) => claims(node, 'unit.working_directory', node.unit?.workingDirectory))),
    ...among(backups),
  ];
}

function claims({ node, file }: NodeSettings, key: string, paths: string | readonly string[] = []): Claim[] {
  return [paths].flat().map((path) => ({ node, file, key, path }));
}

function among(all: readonly Claim[]): Problem[] {
  return all.flatMap(({ node, file, key, path }) => {
    const same = key === 'unit.working_directory';
    const others = all.filter(
      (other) => other.node !== node && (same ? other.path === path : overlaps(other.path, path)),
    );
    if (others.length === 0) return [];
    const place: Place = { type: 'file', file };
    const names = others.map((other) => other.node).join(', ');
    const message = same ? `is ${path}, which ${names} works in as well.` : `is ${path}, which ${names} uses as well.`;
    return [{ severity: 'error', code: 'CONFIG_INVALID', stops: node, place, key, message, remedy: mend(place) }];
  });
}
