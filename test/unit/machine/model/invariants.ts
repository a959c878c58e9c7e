/**
 * What must hold in every moment, at every step, and when everything has come to rest: I1, I2, I5, I8, I9 and I10. A model has
 * no bytes, no serials, no data and no other files, so that I3, I4, I6 and I7 are for the proofs on real hosts.
 */
import { imagesOf } from './disk.ts';
import type { Model } from './transaction.ts';
import type { World } from './world.ts';

/** What is wrong, in one sentence that names no trace; undefined when nothing is. */
export type Wrong = string | undefined;

/** In every moment. */
export function wrongNow(w: World, model: Model): Wrong {
  const { open } = model.book.page(w.ledger);
  for (const { current, fallback } of imagesOf(w)) {
    if (current === 'new' && w.staged !== 'good')
      return `current names a version that is ${w.staged === '' ? 'not there' : w.staged} [I1]`;
    if (current === '' && open?.transaction.action !== 'install' && w.enabled) return 'current names nothing [I1]';
    if (open === undefined || open.transaction.from === undefined || w.committing) continue;
    const { from, to } = open.transaction;
    if (current === (to as string) && fallback !== (from as string))
      return 'the candidate is current and nothing leads back [I5]';
  }
  return undefined;
}

/** From one moment to the next. */
export function wrongStep(before: World, after: World): Wrong {
  const started = after.runs !== '' && before.runs === '';
  if (started && after.wish === 'stopped') return 'a node that its operator stopped was started';
  const commits = after.committing && !before.committing;
  if (commits && !after.soaked) return 'a version was committed that had not held through the soak';
  if (commits && after.blemish) return 'a version was committed that had ended by itself before the last look';
  return undefined;
}

export function atRest(w: World): boolean {
  // A version that hangs as it comes up keeps its job for ever.
  const hangs = w.act === 'activating' && w.sick;
  const busy = w.act === 'deactivating' || w.act === 'auto' || (w.act === 'activating' && !hangs);
  const done = w.tx === 'idle' && w.revert === 'idle' && w.bootUnit === 'idle';
  return done && (w.job === '' || hangs) && w.request === '' && !busy;
}

/** When systemd alone has done what it does, before any further run of ours. */
export function wrongAtRest(w: World, model: Model): Wrong {
  if (w.fallback !== '') return 'nothing goes on, and `fallback` is still there';
  if (w.wish === 'stopped') return w.runs === '' ? undefined : 'a node that its operator stopped runs';
  if (w.self) return undefined;
  const { open, lastEnded } = model.book.page(w.ledger);
  const first = open?.transaction.action === 'install' || w.current === '';
  const given = !w.enabled && lastEnded?.outcome === 'rollback-failed';
  if (w.runs === '') return first || given ? undefined : 'the node was left down';
  return w.runs === w.current
    ? undefined
    : `${w.runs} runs, and current is ${w.current === '' ? 'nothing' : w.current} [I2]`;
}

/** After the next run or the one after it: nothing is left, and the ledger says what the links say. */
export function wrongInTheEnd(w: World, model: Model): Wrong {
  const { open, lastEnded, records } = model.book.page(w.ledger);
  if (open !== undefined) return 'a transaction stays open [I9]';
  const left = leftovers(w);
  if (left !== '') return `left over: ${left} [I8]`;
  const opened = records.findLast(({ entry }) => entry.kind === 'opened')?.entry;
  if (lastEnded === undefined || opened?.kind !== 'opened') return undefined;
  const { from, to } = opened.transaction;
  // A first installation that could be neither committed nor withdrawn: it says that a person is needed.
  if (from === undefined && lastEnded.outcome === 'rollback-failed') return undefined;
  const expected = lastEnded.outcome === 'committed' ? to : (from ?? '');
  if (w.current !== (expected as string)) return `the ledger says ${lastEnded.outcome}, and current is ${w.current}`;
  if (lastEnded.outcome === 'stopped-by-operator' && !w.everStopped)
    return 'nobody stopped the node, and the ledger says so';
  if (lastEnded.quarantine?.cause === 'gate' && !w.evidence)
    return 'a version is in quarantine with no evidence against it';
  const failed = lastEnded.outcome === 'rolled-back' && lastEnded.failure?.code.startsWith('GATE_') === true;
  return failed && lastEnded.quarantine === undefined ? 'a version that failed here would come again [I10]' : undefined;
}

export function isTidy(w: World, model: Model): boolean {
  return leftovers(w) === '' && model.book.page(w.ledger).open === undefined;
}

function leftovers(w: World): string {
  const marks = { open: w.open, down: w.down !== '', stopped: w.stopped, restart: w.restart };
  const found = Object.entries({
    ...marks,
    'the drop-in': w.dropIn || w.loaded,
    'a temporary file': w.litter,
    'a copy': w.copy !== '',
  });
  return found.flatMap(([name, there]) => (there ? [name] : [])).join(', ');
}
