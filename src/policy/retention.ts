import type { Version } from '../release.ts';

export interface Retention {
  /** What is staged on this host. */
  readonly staged: readonly Version[];
  /** Committed, armed, the one before, named by an open transaction: never removed, whatever `keep` says. */
  readonly needed: ReadonlySet<Version>;
  /** The versions that were committed on this host, the latest first; each once. */
  readonly committed: readonly Version[];
  /** How many staged versions stay. */
  readonly keep: number;
}

/**
 * Which staged versions may go, in the order in which they go: first what was never committed here, then what was committed
 * longest ago. Pure.
 */
export function prunable({ staged, needed, committed, keep }: Retention): readonly Version[] {
  const age = (version: Version): number => {
    const at = committed.indexOf(version);
    return at === -1 ? committed.length : at;
  };
  const spare = staged.filter((version) => !needed.has(version)).sort((a, b) => age(b) - age(a));
  const surplus = Math.max(0, staged.length - keep);
  return spare.slice(0, surplus);
}
