import type { NodeSettings } from '../settings.ts';
import { mend } from './fragment.ts';
import type { Place, Problem } from './problems.ts';

/**
 * Two nodes on one directory would back up, restore and overwrite each other's data. (Two nodes on one unit cannot be
 * written: the file's name is the unit's.)
 */
export function sharedData(nodes: readonly NodeSettings[]): Problem[] {
  return nodes.flatMap((node) => {
    const directory = node.unit?.workingDirectory;
    const others = nodes.filter((other) => other !== node && other.unit?.workingDirectory === directory);
    if (directory === undefined || others.length === 0) return [];
    const place: Place = { type: 'file', file: node.file };
    const names = others.map((other) => other.node).join(', ');
    const message = `is ${directory}, which ${names} works in as well.`;
    const key = 'unit.working_directory';
    return [{ severity: 'error', code: 'CONFIG_INVALID', stops: node.node, place, key, message, remedy: mend(place) }];
  });
}
