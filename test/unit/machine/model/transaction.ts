/** node-updater@: one run of the transaction's program, each append and each effect a step of its own. */
import type { Entry } from '../../../../src/machine/record.ts';
import { countsAgainst } from '../../../../src/machine/recover.ts';
import { isOutcome, isWorking, type Transaction, type Working } from '../../../../src/machine/state.ts';
import type { Book } from './book.ts';
import type { Design } from './design.ts';
import type { About, Answered, Effect, Flow } from './effect.ts';
import { endedBy, failureFor } from './ended.ts';
import { NOTHING, isHeldForNothing, isLeftToFallback } from './held.ts';
import { planOf, targetOf } from './plan.ts';
import { clearProcess, type V, type World } from './world.ts';

export interface Model {
  readonly design: Design;
  readonly book: Book;
  /** A daemon that answers SIGTERM with an error. */
  readonly sulky: boolean;
  /** A daemon that takes longer to end or to come up than anybody waits for. */
  readonly slow: boolean;
  /** The node's unit is kept by nothing: systemd forgets it while it is down. */
  readonly collectable: boolean;
  readonly data: DataPlan;
}

/** What the release and the node's file say of the data. */
export interface DataPlan {
  readonly backups: 'first' | 'none';
  readonly back: 'restore-data' | 'never';
}

export type Move = readonly [say: string, world: World];

/** How the process can go on from here. */
export function runs(w: World, model: Model): readonly Move[] {
  if (w.phase === 'step' || w.phase === 'held') return effects(w, model);
  const after = { ...w };
  return [[`transaction: ${advancePhase(after, model)}`, after]];
}

export function aboutOf(w: World, model: Model): About {
  const open = w.phase === 'held' ? NOTHING : model.book.page(w.ledger).open;
  if (open === undefined) throw new Error('no transaction is open');
  const from = (open.transaction.from ?? '') as V;
  const to = open.transaction.to as string as V;
  const times = (state: Working): number => model.book.page(w.ledger).times(state);
  return { from, to, open, slow: model.slow, times, limits: model.design.limits };
}

/** The effect that the process is about to make. */
export function effectOf(w: World, model: Model): Effect | undefined {
  if (w.tx === 'running' && w.phase === 'held') return model.design.held[w.op];
  if (w.tx !== 'running' || w.phase !== 'step' || w.state === '' || !isWorking(w.state)) return undefined;
  return model.design.program[w.state][w.op];
}

function effects(w: World, model: Model): readonly Move[] {
  const effect = effectOf(w, model);
  if (effect === undefined) throw new Error(`${w.state} has no effect ${w.op}`);
  const moves: Move[] = [];
  for (const [act, how] of [
    [effect.act, ''],
    [effect.late, ' and runs out of time'],
  ] as const) {
    if (act === undefined) continue;
    const after = { ...w };
    const flow = strandedBy(act(after, aboutOf(w, model)), w, model);
    if (flow === 'blocked') continue;
    // What takes longer than anybody waits for is evidence of this host against the version.
    if (how !== '' && model.slow) after.evidence = true;
    follow(after, flow);
    moves.push([`transaction: ${w.phase === 'held' ? w.phase : w.state}: ${effect.say}${how}${said(flow)}`, after]);
  }
  return moves;
}

const GATED: readonly string[] = ['start', 'soak', 'commit', 'resume'];

/** `orStranded`: a version without a way back that has failed its gate. */
function strandedBy(flow: Flow, w: World, model: Model): Flow {
  if (typeof flow === 'string' || 'to' in flow || flow.answer !== 'failed' || flow.code === undefined) return flow;
  const { open } = aboutOf(w, model);
  const stranded =
    open.transaction.way !== undefined && GATED.includes(w.state) && countsAgainst(failureFor(flow.code));
  return stranded ? { ...flow, answer: 'stranded' } : flow;
}

function said(flow: Flow): string {
  if (typeof flow === 'string' || 'to' in flow) return '';
  return ` → ${flow.answer}${flow.code === undefined ? '' : ` ${flow.code}`}`;
}

/** A step that cannot go on answers `failed`. */
export function follow(w: World, flow: Exclude<Flow, 'blocked'>): void {
  if (flow === 'next') w.op += 1;
  else if ('to' in flow) w.op = flow.to;
  else if (w.phase === 'held') endHeld(w, flow);
  else {
    w.answer = flow.answer;
    w.code = flow.code ?? '';
    w.phase = 'result';
    w.op = 0;
  }
}

function endHeld(w: World, { answer }: Answered): void {
  Object.assign(w, { code: '', then: '', room: false });
  w.phase = answer === 'failed' ? 'gives up' : 'begin';
  w.op = LETS_GO;
}

/** One append, one flush, or one decision between the steps. */
function advancePhase(w: World, model: Model): string {
  switch (w.phase) {
    case 'begin':
      return beginning(w, model);
    case 'opened':
      return flushed(w, () => {
        judgeAnew(w);
        enter(w, model.design.begin(aboutOf(w, model).open.transaction));
      });
    case 'intent':
      return intent(w, model);
    case 'result':
      return result(w, model);
    case 'ended':
      return ending(w, model);
    case 'served':
      return serve(w, model);
    case 'gives up':
      leave(w, model);
      return 'gives up, and leaves the node held down';
    case 'step':
    case 'held':
    case '':
      throw new Error(`the process stands at "${w.phase}"`);
  }
}

/** The place of that in the beginning of a run. */
const LETS_GO = 3;

function beginning(w: World, model: Model): string {
  w.op += 1;
  if (w.op === 1) {
    w.asked = w.request;
    w.request = '';
    return 'opens the ledger and takes what was asked for';
  }
  if (w.op === 2 && isLeftToFallback(w, model)) {
    leave(w, model);
    return 'leaves the node to the fallback';
  }
  if (w.op === 2) {
    model.design.sweep(w, model.book.page(w.ledger).open === undefined ? 'none' : 'open');
    return 'sweeps up what an earlier run left';
  }
  if (w.op === LETS_GO && model.design.held.length > 0 && isHeldForNothing(w, model)) {
    Object.assign(w, { phase: 'held', op: 0 });
    return 'finds the node held down for nothing that is open';
  }
  if (model.book.page(w.ledger).open === undefined) return serve(w, model);
  enter(w, 'settle');
  return 'finds an open transaction';
}

function enter(w: World, state: World['state']): void {
  w.state = state;
  w.phase = 'intent';
  w.op = 0;
}

function append(w: World, entry: Entry, model: Model): void {
  w.ledger = model.book.append(w.ledger, entry, w.boot);
  w.op = 1;
}

function flushed(w: World, then: () => void): string {
  w.ledgerFlushed = w.ledger;
  w.op = 0;
  then();
  return 'flushes the ledger';
}

function intent(w: World, model: Model): string {
  if (w.op === 1) return flushed(w, () => (w.phase = 'step'));
  const { open } = aboutOf(w, model);
  append(w, { kind: 'intent', tx: open.transaction.id, state: w.state as never }, model);
  return `records that it is about to ${w.state}`;
}

function result(w: World, model: Model): string {
  const state = w.state as never;
  const then = model.design.next(state, w.answer as never);
  if (then === undefined) throw new Error(`no row for ${w.answer} in ${w.state}`);
  if (w.op === 1) {
    return flushed(w, () => {
      if (w.code !== '') w.failure = w.code;
      if (then === 'yield') {
        leave(w, model);
        return;
      }
      w.state = then;
      w.phase = isOutcome(then) ? 'ended' : 'intent';
      w.answer = '';
      w.code = '';
    });
  }
  const { open } = aboutOf(w, model);
  const failure = w.code === '' ? {} : { failure: failureFor(w.code) };
  const said = { kind: 'result', tx: open.transaction.id, state, event: w.answer as never, then } as const;
  append(w, { ...said, ...failure, ...factsOf(w) }, model);
  return `records that ${w.state} answered ${w.answer}`;
}

/** What a later run needs to know. */
function factsOf(w: World): { readonly facts?: Readonly<Record<string, string>> } {
  if (w.state === 'arm' && w.before === 'resting') return { facts: { node: w.before } };
  if (w.state === 'backup' && w.answer === 'ok') return { facts: { backup: 'b' } };
  const restores = w.state === 'restore' || w.state === 'go-back';
  return restores && (w.answer === 'ok' || w.answer === 'resting') ? { facts: { restored: 'b' } } : {};
}

function ending(w: World, model: Model): string {
  const { records, lastEnded } = model.book.page(w.ledger);
  if (w.op === 1) {
    return flushed(w, () => {
      w.state = '';
      w.failure = '';
      const back = lastEnded?.outcome === 'rolled-back' || lastEnded?.outcome === 'stopped-by-operator';
      // What it left to the fallback is done first.
      if (
        w.asked === '' ||
        (w.open && model.design.serves === 'after the fallback') ||
        (w.asked === 'rollback' && back)
      )
        leave(w, model);
      else w.phase = 'served';
    });
  }
  const { open } = aboutOf(w, model);
  append(w, model.design.writes(endedBy(open, w, records)), model);
  return `records that the transaction ended: ${w.state}`;
}

/** What was asked for becomes a transaction, or is answered. */
function serve(w: World, model: Model): string {
  const { asked } = w;
  w.asked = '';
  const target = targetOf(asked, w, model);
  if (target === '') {
    leave(w, model);
    return asked === '' ? 'has nothing to do' : `answers that there is nothing to ${asked}`;
  }
  const id = `t${model.book.page(w.ledger).opened}`;
  const from = w.current === '' ? {} : { from: w.current };
  const plan = planOf(asked, w, model);
  const transaction = { id, ...plan, ...from, to: target } as unknown as Transaction;
  const { action } = transaction;
  append(w, { kind: 'opened', transaction }, model);
  w.phase = 'opened';
  w.failure = '';
  return `opens the ${action} to ${target}`;
}

/** What was seen of the transaction before says nothing about this one. */
function judgeAnew(w: World): void {
  w.committing = false;
  w.soaked = false;
  w.blemish = false;
  w.evidence = false;
  w.everStopped = w.wish !== 'run';
  if (w.journal !== '') w.journalOf = 'another';
}

const GIVING_UP: readonly string[] = [
  'looks how often it has tried',
  'looks for the file `restoring`',
  'removes the mark `open`',
  'leaves it to the next run',
];

/** The process ends, however: its unit does, and systemd starts what stands in OnSuccess= and OnFailure=. */
export function leave(w: World, model: Model): void {
  // Where the step marks `open`; `go-back` looks for a way back before that.
  const marks = w.state === 'go-back' ? 1 : 0;
  const begun =
    (w.state === 'restore' || w.state === 'go-back') && (w.phase !== 'step' || w.op > marks) && w.phase !== 'intent';
  const gaveUp = w.answer === 'later' || GIVING_UP.includes(effectOf(w, model)?.say ?? '');
  w.early = w.restoring !== '' && !w.open && (!begun || gaveUp);
  w.tx = 'idle';
  clearProcess(w);
  if (w.down === '' || w.down === 'stale') w.blind = false;
  if (model.design.deadMan === 'set' && (w.revert === 'idle' || w.revert === 'retry')) w.revert = 'queued';
}
