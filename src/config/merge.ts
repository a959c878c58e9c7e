/** Later fragments win, key by key; an array is replaced as a whole. */
import type { KeyPath } from './locate.ts';
import type { Fragment, Table } from './fragment.ts';
import { writeKey, type Place } from './problems.ts';

/** One key as it holds in the end, in the operator's own notation. */
export interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly origin: Place;
}

export interface Merged {
  readonly raw: Table;
  readonly entries: readonly Entry[];
  placeOf(path: KeyPath): Place;
}

/** `fragments`: the lowest first. */
export function merge(fragments: readonly Fragment[]): Merged {
  const raw: Record<string, unknown> = {};
  const origins = new Map<string, Place>();
  for (const fragment of fragments) overlay(raw, fragment.raw, [], fragment, origins);
  return {
    raw,
    entries: entriesOf(raw, [], origins),
    placeOf: (path) => placeOf(path, origins, fragments),
  };
}

function overlay(
  target: Record<string, unknown>,
  source: Table,
  path: KeyPath,
  fragment: Fragment,
  origins: Map<string, Place>,
): void {
  for (const [key, value] of Object.entries(source)) {
    const here = [...path, key];
    if (isTable(value)) {
      const before = target[key];
      const inner = isTable(before) ? { ...before } : {};
      overlay(inner, value, here, fragment, origins);
      target[key] = inner;
    } else {
      target[key] = value;
    }
    origins.set(writeKey(here), fragment.placeOf(here));
  }
}

function entriesOf(table: Table, path: KeyPath, origins: ReadonlyMap<string, Place>): Entry[] {
  return Object.entries(table).flatMap(([name, value]): Entry[] => {
    const here = [...path, name];
    if (isTable(value) && Object.keys(value).length > 0) return entriesOf(value, here, origins);
    const key = writeKey(here);
    return [{ key, value, origin: origins.get(key) ?? { type: 'default' } }];
  });
}

/** The place of the key or of the nearest table around it; else the highest file, which is where the key is missing. */
function placeOf(path: KeyPath, origins: ReadonlyMap<string, Place>, fragments: readonly Fragment[]): Place {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(writeKey(path.slice(0, length)));
    if (origin !== undefined && origin.type !== 'default') return origin;
  }
  const places = fragments.map((fragment) => fragment.placeOf([]));
  return places.findLast((place) => place.type === 'file') ?? { type: 'default' };
}

export function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
