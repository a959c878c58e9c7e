/** Retention: which staged versions go, and what is done about those that cannot. */
import { readLinks } from '../activation/links.ts';
import { isInUse, removeVersion } from '../activation/remove-version.ts';
import { listStaged } from '../activation/stage.ts';
import { prunable } from '../policy/retention.ts';
import type { Version } from '../release.ts';
import type { MachineContext } from './context.ts';
import type { Ledger } from './ledger.ts';
import { committedBefore, committedVersions } from './plan.ts';
import { failureOf, type Answer } from './run.ts';
import type { Transaction } from './state.ts';

export interface Pruned {
  readonly removed: readonly Version[];
  /** What stays although it is too many, and why. */
  readonly kept: readonly { readonly version: Version; readonly why: string }[];
}

/** The step `prune`: a version that cannot be removed is a warning, for the update has been committed. */
export async function pruneVersions(
  transaction: Transaction,
  ledger: Ledger,
  context: MachineContext,
): Promise<Answer> {
  const { removed } = await prune(undefined, ledger, context, [transaction.from, transaction.to]);
  return { event: 'ok', ...(removed.length === 0 ? {} : { facts: { removed: removed.join(' ') } }) };
}

/** `keep` overrules the setting. Throws DISK_ or HOST_STATE when it cannot be seen what is there. */
export async function prune(
  keep: number | undefined,
  ledger: Pick<Ledger, 'records'>,
  context: MachineContext,
  named: readonly (Version | undefined)[] = [],
): Promise<Pruned> {
  const surplus = await surplusVersions(keep ?? context.settings.keepVersions, ledger, context, named);
  const removed: Version[] = [];
  const kept: { version: Version; why: string }[] = [];
  for (const version of surplus) {
    context.heartbeat.beat();
    const why = await removing(version, context);
    if (why === undefined) removed.push(version);
    else kept.push({ version, why });
  }
  if (removed.length > 0) context.log.info(`Removed ${removed.join(', ')}`);
  for (const { version, why } of kept) context.log.warn(`${version} stays: ${why}`);
  return { removed, kept };
}

/** The staged versions that are too many and that nobody needs, the first to go first. */
export async function surplusVersions(
  keep: number,
  ledger: Pick<Ledger, 'records'>,
  { layout }: Pick<MachineContext, 'layout'>,
  named: readonly (Version | undefined)[] = [],
): Promise<readonly Version[]> {
  const { current, fallback } = await readLinks(layout);
  const before = current === undefined ? undefined : committedBefore(current, ledger);
  const needed = [current, fallback, before, ...named].filter((version) => version !== undefined);
  return prunable({
    staged: await listStaged(layout),
    needed: new Set(needed),
    committed: committedVersions(ledger),
    keep,
  });
}

async function removing(version: Version, { layout, files }: MachineContext): Promise<string | undefined> {
  try {
    if (await isInUse(version, layout)) return 'a program of it still runs';
    await removeVersion(version, layout, files);
    return undefined;
  } catch (error) {
    return failureOf(error).message;
  }
}

export function describePruned({ removed, kept }: Pruned): string {
  const gone = removed.length === 0 ? 'No version was removed' : `Removed ${removed.join(', ')}`;
  return [gone, ...kept.map(({ version, why }) => `${version} stays: ${why}`)].join('; ');
}
