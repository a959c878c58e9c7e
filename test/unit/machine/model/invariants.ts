/**
 * What must hold in every moment, at every step, and when everything has come to rest: I1, I2, I5, I8, I9 and I10, and that data
 * and version match. A model has no bytes, no serials and no other files, so that I3, I4, I6 and I7 are for the proofs on real hosts.
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
    const { from, to, way } = open.transaction;
    if (way === 'forward') continue;
    if (current === (to as string) && fallback !== (from as string))
      return 'the candidate is current and nothing leads back [I5]';
  }
  return dataWrong(w, model);
}

/** From one moment to the next. */
export function wrongStep(before: World, after: World): Wrong {
  const started = after.runs !== '' && before.runs === '';
  if (started && after.wish === 'stopped') return 'a node that its operator stopped was started';
  if (started && before.restoring !== '') return 'a node was started under the file `restoring`';
  if (started && after.runs === 'old' && before.data === 'new' && after.epochs === 'differ')
    return 'the version before was started on data that the candidate has moved on';
  const commits = after.committing && !before.committing;
  if (commits && !after.soaked) return 'a version was committed that had not held through the soak';
  if (commits && after.runs !== '' && after.runs !== after.current) return 'a version was committed that does not run';
  if (commits && after.blemish) return 'a version was committed that had ended by itself before the last look';
  return undefined;
}

export function atRest(w: World): boolean {
  // A version that hangs as it comes up keeps its job for ever.
  const hangs = w.act === 'activating' && w.sick;
  const busy = w.act === 'deactivating' || w.act === 'auto' || (w.act === 'activating' && !hangs);
  const done = w.tx === 'idle' && w.revert === 'idle' && w.bootUnit === 'idle';
  return done && w.restoreUnit === 'idle' && (w.job === '' || hangs) && w.request === '' && !busy;
}

/** When systemd alone has done what it does, before any further run of ours. */
export function wrongAtRest(w: World, model: Model): Wrong {
  if (w.fallback !== '') return 'nothing goes on, and `fallback` is still there';
  if (w.wish === 'stopped') return w.runs === '' ? undefined : 'a node that its operator stopped runs';
  if (w.self || (w.wish === 'either' && w.runs === '')) return undefined;
  const { open, lastEnded } = model.book.page(w.ledger);
  const first = open?.transaction.action === 'install' || w.current === '';
  const given = !w.enabled && lastEnded?.outcome === 'rollback-failed';
  if (w.runs === '' && w.restoring !== '') return heldWhy(w, model);
  if (w.runs === '') return first || given ? undefined : 'the node was left down';
  // Without a way back the version before may run on until the next run, which restarts it, or until a person looks.
  const asked = lastEnded?.outcome === 'rollback-failed' && w.epochs === 'differ';
  const waits =
    asked || (open?.transaction.way === 'forward' && w.runs === (open.transaction.from as string | undefined));
  return w.runs === w.current || waits
    ? undefined
    : `${w.runs} runs, and current is ${w.current === '' ? 'nothing' : w.current} [I2]`;
}

/** After the next run or the one after it: nothing is left, and the ledger says what the links say. */
export function wrongInTheEnd(w: World, model: Model): Wrong {
  const { open, lastEnded, records } = model.book.page(w.ledger);
  if (open !== undefined) return 'a transaction stays open [I9]';
  const wrong = dataWrongInTheEnd(w, model);
  if (wrong !== undefined) return wrong;
  const left = leftovers(w);
  if (left !== '') return `left over: ${left} [I8]`;
  const opened = records.findLast(({ entry }) => entry.kind === 'opened')?.entry;
  if (lastEnded === undefined || opened?.kind !== 'opened') return undefined;
  const { from, to } = opened.transaction;
  // A first installation that could be neither committed nor withdrawn: it says that a person is needed.
  if (from === undefined && lastEnded.outcome === 'rollback-failed') return undefined;
  // Without a way back a version runs on until it is proven, or a person is asked.
  const forward = opened.transaction.way === 'forward';
  const either = forward && (lastEnded.outcome === 'rollback-failed' || lastEnded.outcome === 'stopped-by-operator');
  if (either && (w.current === (to as string) || w.current === (from as string))) return undefined;
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
    'the file `restoring`': w.restoring !== '',
  });
  return found.flatMap(([name, there]) => (there ? [name] : [])).join(', ');
}

/** In every moment: no node meets data that is half restored, and every backup that has its name is whole. */
function dataWrong(w: World, model: Model): Wrong {
  if (w.data === '') return undefined;
  if (w.runs !== '' && (w.data === 'half' || w.journal === 'open'))
    return 'a node runs while its data is being restored';
  if (w.data === 'half' && w.diskJournal !== 'open') return 'data is moved by a journal that is not on the disk';
  if (w.backup === 'torn' || w.diskBackup === 'torn') return 'a backup that has its name is not whole';
  const { open } = model.book.page(w.ledger);
  if (open?.backup !== undefined && (w.diskBackup === '' || w.diskBackup === 'half'))
    return 'the ledger names a backup that is not there';
  const needed = open?.transaction.way === 'forward' && open.transaction.backup !== undefined;
  if (needed && w.data === 'new' && w.epochs === 'differ' && open.backup === undefined)
    return 'the candidate has moved data on that no backup is recorded of';
  if (w.diskRestoring === '' && w.journal === 'open') return 'data is being restored, and nothing holds the node';
  return undefined;
}

/** A node that is held down has a failure on record that says why. */
function heldWhy(w: World, model: Model): Wrong {
  const told = model.book.page(w.ledger).open?.lastEvent === 'later';
  return told || w.early ? undefined : 'the node is held down, and nothing goes on';
}

function dataWrongInTheEnd(w: World, model: Model): Wrong {
  if (w.data === '') return undefined;
  const { records, lastEnded } = model.book.page(w.ledger);
  if (w.data === 'half' || w.journal === 'open') return 'a restore is never finished';
  if (w.current === 'old' && w.data === 'new' && w.epochs === 'differ')
    return 'the version before has data that it does not know';
  const opened = records.findLast(({ entry }) => entry.kind === 'opened')?.entry;
  if (opened?.kind !== 'opened' || opened.transaction.action !== 'restore') return undefined;
  const put = w.data === w.backup;
  if (lastEnded?.outcome === 'committed' && !put) return 'the ledger says that a backup was put back, and it was not';
  return lastEnded?.outcome === 'rolled-back' && put
    ? 'the ledger says that the data is as it was, and it is not'
    : undefined;
}
