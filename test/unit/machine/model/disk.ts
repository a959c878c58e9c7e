/** What happens to /opt/NODE: each change is seen at once, and is on the disk when it was flushed. */
import type { V, World } from './world.ts';

/** Changes to the directory, by the letter that stands for them while they are not flushed. */
const CHANGES: Readonly<Record<string, (links: { current: V; fallback: V }) => void>> = {
  o: (links) => {
    links.fallback = 'old';
  },
  n: (links) => {
    links.fallback = 'new';
  },
  O: (links) => {
    links.current = 'old';
  },
  N: (links) => {
    links.current = 'new';
  },
  M: (links) => {
    if (links.fallback !== '') links.current = links.fallback;
    links.fallback = '';
  },
  U: (links) => {
    links.fallback = '';
  },
  C: (links) => {
    links.current = '';
  },
};

export function change(w: World, letter: string): void {
  CHANGES[letter]?.(w);
  w.unflushed += letter;
}

export function linkTo(w: World, version: V): void {
  change(w, version === 'old' ? 'o' : 'n');
}

export function switchTo(w: World, version: V): void {
  change(w, version === 'old' ? 'O' : 'N');
}

export function flushHome(w: World): void {
  w.diskCurrent = w.current;
  w.diskFallback = w.fallback;
  w.unflushed = '';
}

export interface Links {
  readonly current: V;
  readonly fallback: V;
}

/** Every pair of links that a power cut at this moment could leave: each change that was not flushed kept, or lost. */
export function imagesOf(w: World): readonly Links[] {
  const images: Links[] = [];
  for (let kept = 0; kept < 2 ** w.unflushed.length; kept++) {
    const links = { current: w.diskCurrent, fallback: w.diskFallback };
    for (let at = 0; at < w.unflushed.length; at++) {
      if ((kept & (2 ** at)) !== 0) CHANGES[w.unflushed.charAt(at)]?.(links);
    }
    if (!images.some((image) => image.current === links.current && image.fallback === links.fallback))
      images.push(links);
  }
  return images;
}

/** The hosts that a crash at this moment could leave, as they are when the kernel has started again. */
export function crashed(w: World, first: World): readonly World[] {
  const ledgers = [...new Set([w.ledgerFlushed, w.ledger])];
  const stages = stagesOf(w);
  const images = bootsOf(w).flatMap((boots) => dataImagesOf(w).map((image) => ({ ...image, ...boots })));
  return imagesOf(w).flatMap(({ current, fallback }) =>
    ledgers.flatMap((ledger) =>
      stages.flatMap((staged) =>
        images.map((image): World => ({
          ...first,
          ...image,
          ...{ current, fallback, diskCurrent: current, diskFallback: fallback, ledger, ledgerFlushed: ledger, staged },
          ...{ stagedFlush: staged === '' ? ('' as const) : ('all' as const), litter: w.litter, request: '' as const },
          ...{ boot: w.boot + 1, act: 'inactive' as const, runs: '' as const, tx: 'idle' as const },
          ...(image.enabled ? { job: 'start' as const, by: 'boot' as const, bootUnit: 'queued' as const } : {}),
          ...(image.enabled ? { restoreUnit: 'queued' as const } : {}),
          ...{
            wish: 'run' as const,
            everStopped: w.everStopped,
            evidence: w.evidence,
            committing: w.committing,
            budget: w.budget,
          },
        })),
      ),
    ),
  );
}

/** Whether the node starts at boot. */
function bootsOf(w: World): readonly Pick<World, 'enabled' | 'diskEnabled'>[] {
  return [...new Set([w.diskEnabled, w.enabled])].map((enabled) => ({ enabled, diskEnabled: enabled }));
}

function stagesOf(w: World): readonly World['staged'][] {
  if (w.staged === '' || w.stagedFlush === 'all') return [w.staged];
  return w.stagedFlush === 'contents' ? ['', w.staged] : ['', 'torn'];
}

type OfData =
  | 'data'
  | 'diskData'
  | 'backup'
  | 'diskBackup'
  | 'restoring'
  | 'diskRestoring'
  | 'journal'
  | 'diskJournal'
  | 'journalOf'
  | 'laid';

function anotherBoot(held: World['restoring']): World['restoring'] {
  return held === 'rests' ? 'rests before' : held;
}

/** What a power cut could leave of the data, its backup, and the two files that say what is done to it: each on its own. */
function dataImagesOf(w: World): readonly Pick<World, OfData>[] {
  const datas = w.data === w.diskData ? [w.data] : [w.diskData, 'half' as const, w.data];
  const backups = [...new Set([w.diskBackup, w.backup])];
  const held = [...new Set([w.diskRestoring, w.restoring].map(anotherBoot))];
  const journals = [...new Set([w.diskJournal, w.journal])];
  return datas.flatMap((data) =>
    backups.flatMap((backup) =>
      held.flatMap((restoring) =>
        journals.map((journal) => ({
          ...{ data, diskData: data, backup, diskBackup: backup, restoring, diskRestoring: restoring },
          ...{ journal, diskJournal: journal, journalOf: journal === '' ? ('' as const) : w.journalOf },
          laid: journal === '' ? ('' as const) : w.laid,
        })),
      ),
    ),
  );
}
