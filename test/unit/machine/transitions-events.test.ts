import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Ledger } from '../../../src/machine/ledger.ts';
import type { Entry } from '../../../src/machine/record.ts';
import { drive, type Steps } from '../../../src/machine/run.ts';
import { EVENTS, OUTCOMES, RESTING, WORKING, isWorking, type Event, type Working } from '../../../src/machine/state.ts';
import { TRANSITIONS, next } from '../../../src/machine/transitions.ts';
import { recordsOf, v } from './support.ts';

const transaction = { id: 't', action: 'upgrade', from: v('1'), to: v('2') } as const;

/** A ledger in memory, and what was written to it. */
function memory(): { ledger: Ledger; entries: Entry[] } {
  const entries: Entry[] = [];
  const append: Ledger['append'] = (entry) => {
    entries.push(entry);
    const [record] = recordsOf([entry]);
    return record === undefined ? Promise.reject(new Error('no record')) : Promise.resolve(record);
  };
  return { ledger: { records: [], append }, entries };
}

/** Steps that answer one event after the other, whatever the state. */
function answering(events: readonly Event[]): Steps {
  let at = 0;
  const step = () => Promise.resolve({ event: events[at++] ?? 'ok' });
  return Object.fromEntries(WORKING.map((state) => [state, step])) as unknown as Steps;
}

const everyEvent = fc.array(fc.constantFrom(...EVENTS), { minLength: WORKING.length, maxLength: WORKING.length });

describe('every event in every state', () => {
  it('has a row that leads to a state there is, or none at all [S3.30]', () => {
    const states: readonly string[] = [...WORKING, ...RESTING, ...OUTCOMES];
    for (const state of WORKING) {
      expect(Object.keys(TRANSITIONS[state]).filter((event) => !EVENTS.includes(event as Event))).toEqual([]);
      for (const event of EVENTS) {
        const then = next(state, event);
        if (then !== undefined) expect(states).toContain(then);
      }
    }
  });

  it('is possible where its step can answer it, and nowhere else [S3.30]', () => {
    const judged: Event[] = ['untouched', 'committed', 'put-back', 'armed', 'uncommitted'];
    const forward: Event[] = ['forward', 'restoring', 'going-back'];
    const seesOperators: Working[] = ['preflight', 'stop', 'start', 'soak', 'commit', 'gate-old', 'resume'];
    const own: Partial<Record<Working, Event[]>> = {
      arm: ['backup', 'restore'],
      stop: ['resting'],
      start: ['resting', 'stranded'],
      soak: ['stranded'],
      commit: ['stranded'],
      resume: ['stranded', 'unproven'],
      restore: ['resting', 'refused', 'later'],
      'go-back': ['later'],
    };
    for (const state of WORKING) {
      const acts: Event[] = [
        'ok',
        ...(seesOperators.includes(state) ? (['operator'] as const) : []),
        ...(own[state] ?? []),
      ];
      const possible = EVENTS.filter((event) => next(state, event) !== undefined);
      expect(new Set(possible), state).toEqual(
        new Set([...(state === 'settle' ? [...judged, ...forward] : acts), 'failed']),
      );
    }
  });

  it('is answered by the next state, or ends the process with the intent on record and no result [S3.33]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...WORKING), everyEvent, async (first, events) => {
        const { ledger, entries } = memory();
        const [expected, impossible] = walk(first, events);
        const driven = drive(transaction, first, ledger, answering(events), () => undefined);
        if (impossible === undefined) {
          const rest = expected.at(-1);
          expect((await driven).state).toBe(rest?.kind === 'result' ? rest.then : undefined);
        } else
          await expect(driven).rejects.toMatchObject({
            code: 'INTERNAL',
            message: expect.stringContaining(impossible) as string,
          });
        expect(entries).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

/** What the table says must be on record, and the row that there is none of. */
function walk(first: Working, events: readonly Event[]): [Entry[], string | undefined] {
  const expected: Entry[] = [];
  let state: Working = first;
  for (const event of events) {
    expected.push({ kind: 'intent', tx: 't', state });
    const then = next(state, event);
    if (then === undefined) return [expected, `"${event}" in "${state}"`];
    expected.push({ kind: 'result', tx: 't', state, then, event });
    if (!isWorking(then)) return [expected, undefined];
    state = then;
  }
  throw new Error('the table leads in a circle');
}
