/** How the real functions write down an end and a failure. */
import type { ErrorCode } from '../../../../src/errors.ts';
import { conclude } from '../../../../src/machine/conclude.ts';
import type { Entry } from '../../../../src/machine/record.ts';
import type { OpenTransaction } from '../../../../src/machine/recover.ts';
import { failureOf } from '../../../../src/machine/run.ts';
import type { Failure, Outcome } from '../../../../src/machine/state.ts';
import type { World } from './world.ts';

/** What the real `conclude` writes; it hands over its entry before it waits for anything. */
export function endedBy(open: OpenTransaction, w: World, records: readonly unknown[]): Entry {
  let written: Entry | undefined;
  const ledger = {
    records: records as never,
    append: (entry: Entry) => {
      written = entry;
      return new Promise<never>(() => undefined);
    },
  };
  const asked = w.asked === 'rollback' && w.state !== 'committed' ? ({ kind: 'rollback' } as never) : undefined;
  const failure = w.failure === '' ? undefined : failureFor(w.failure);
  void conclude(open.transaction, { state: w.state as Outcome, failure, asked }, ledger, undefined as never);
  if (written === undefined) throw new Error('conclude wrote nothing');
  return written;
}

const FAILURES = new Map<ErrorCode, Failure>();

export function failureFor(code: ErrorCode): Failure {
  const known = FAILURES.get(code);
  if (known !== undefined) return known;
  const failure = { ...failureOf(new Error(code)), code, message: code };
  FAILURES.set(code, failure);
  return failure;
}
