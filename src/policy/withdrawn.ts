/**
 * What is told of a version that runs although its publisher has withdrawn it. It is left where it is: whether the version before
 * or this one does more harm, a person decides. Pure.
 */
import type { NodeName, Version } from '../release.ts';

export interface Withdrawn {
  readonly withdrawn?: readonly Version[];
  /** Why, as the publisher's notes of each say it. */
  readonly withdrawnNotes?: Readonly<Record<string, string>>;
}

export interface WithdrawnWarning {
  readonly code: 'POLICY_WITHDRAWN';
  readonly message: string;
  readonly remedy: string;
}

/** None, or one, so that it can be spread among other warnings. */
export function withdrawnWarnings(
  node: NodeName,
  current: Version | undefined,
  { withdrawn = [], withdrawnNotes = {} }: Withdrawn,
): readonly WithdrawnWarning[] {
  if (current === undefined || !withdrawn.includes(current)) return [];
  const why = withdrawnNotes[current]?.replace(/^withdrawn: /, '');
  const message = `${current}, which runs, was withdrawn by its publisher${why === undefined ? '' : `: ${why}`}`;
  const remedy = `It runs on until you say otherwise, or a later version comes. To go back: sudo node-updater rollback ${node}`;
  return [{ code: 'POLICY_WITHDRAWN', message, remedy }];
}

/** The notes of the versions of a manifest that are withdrawn. */
export function notesOfWithdrawn({
  releases,
  withdrawn,
}: {
  readonly releases: readonly { readonly version: Version; readonly notes?: string }[];
  readonly withdrawn: readonly Version[];
}): Readonly<Record<string, string>> {
  const stated = releases.filter(({ version }) => withdrawn.includes(version));
  return Object.fromEntries(stated.flatMap(({ version, notes }) => (notes === undefined ? [] : [[version, notes]])));
}
