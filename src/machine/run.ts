import { causeText, namingDisk, UpdaterError } from '../errors.ts';
import type { Ledger } from './ledger.ts';
import { isWorking, type Event, type Failure, type State, type Transaction, type Working } from './state.ts';
import { next } from './transitions.ts';

export interface Answer {
  readonly event: Event;
  readonly failure?: Failure;
  readonly facts?: Readonly<Record<string, string | number>>;
}

/** One step for each working state; it acts, idempotently, and says what came of it. */
export type Steps = Readonly<Record<Working, () => Promise<Answer>>>;

/** Told of each state as it is entered. */
export type Narrate = (state: Working) => void;

export interface Left {
  /** An outcome, or `yield`: the process ends and systemd acts. */
  readonly state: Exclude<State, Working>;
  /** The last failure on the way, if any. */
  readonly failure: Failure | undefined;
}

/**
 * The step loop: ledger(intent) → effect → ledger(result), from `state` until the transaction rests. A ledger that
 * cannot be written ends the process, and with it the transaction: systemd puts the old version back.
 */
export async function drive(
  transaction: Transaction,
  state: Working,
  ledger: Ledger,
  steps: Steps,
  narrate: Narrate,
): Promise<Left> {
  const tx = transaction.id;
  let failure: Failure | undefined;
  let now: State = state;
  while (isWorking(now)) {
    await ledger.append({ kind: 'intent', tx, state: now });
    narrate(now);
    const answer = await attempt(steps[now]);
    const then = next(now, answer.event);
    if (then === undefined) throw noSuchRow(now, answer.event);
    await ledger.append({ kind: 'result', tx, state: now, then, ...answer });
    failure = answer.failure ?? failure;
    now = then;
  }
  return { state: now, failure };
}

/** A step that throws has failed; anything but an UpdaterError is a fault of ours and is recorded as such. */
async function attempt(step: () => Promise<Answer>): Promise<Answer> {
  try {
    return await step();
  } catch (error) {
    return { event: 'failed', failure: failureOf(error) };
  }
}

export function failureOf(thrown: unknown): Failure {
  const error = namingDisk(thrown);
  if (error instanceof UpdaterError) {
    const cause = causeText(error);
    const message = cause === undefined ? error.message : `${error.message} (${cause})`;
    return { code: error.code, message, remedy: error.remedy };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'INTERNAL', message, remedy: 'This is a fault in node-updater. Please report it with this message.' };
}

function noSuchRow(state: Working, event: Event): UpdaterError {
  return new UpdaterError('INTERNAL', `the transition table has no row for "${event}" in "${state}"`, {
    remedy: 'This is a fault in node-updater. Please report it with the output of: node-updater history --json',
  });
}
