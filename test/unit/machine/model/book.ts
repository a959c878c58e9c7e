/**
 * The ledger of the model: real entries, judged by the real functions. A world carries the number of a ledger; ledgers that
 * mean the same have the same one, so that worlds that differ in nothing but how they came about are one.
 */
import { committedBefore } from '../../../../src/machine/plan.ts';
import type { Entry, LedgerRecord } from '../../../../src/machine/record.ts';
import { findOpen, quarantined, type OpenTransaction } from '../../../../src/machine/recover.ts';
import type { Working } from '../../../../src/machine/state.ts';
import type { Version } from '../../../../src/release.ts';
import { recordsOf } from '../support.ts';

export type Ended = Extract<Entry, { kind: 'ended' }>;

/** What a ledger means; two ledgers with the same `key` have the same future. */
export interface Page {
  readonly records: readonly LedgerRecord[];
  readonly open: OpenTransaction | undefined;
  readonly quarantined: ReadonlySet<string>;
  readonly opened: number;
  /** How often the open transaction has begun that step. */
  readonly times: (state: Working) => number;
  readonly lastEnded: Ended | undefined;
  readonly key: string;
}

const COUNTED = ['resume', 'restore', 'go-back'] as const satisfies readonly Working[];

export interface Book {
  page(number: number): Page;
  /** The number of the ledger that `entry`, written in this boot, makes of that one. */
  append(number: number, entry: Entry, boot: number): number;
}

export function makeBook(): Book {
  const pages: Page[] = [pageOf([])];
  const meanings = new Map<string, number>();
  const numbers = new Map<string, number>();
  return {
    page: (number) => {
      const page = pages[number];
      if (page === undefined) throw new Error(`no ledger ${number}`);
      return page;
    },
    append(onto, entry, boot) {
      const id = `${onto} ${boot} ${JSON.stringify(entry)}`;
      const known = numbers.get(id);
      if (known !== undefined) return known;
      const before = pages[onto]?.records ?? [];
      const [record] = recordsOf([entry]);
      if (record === undefined) throw new Error('no record');
      const page = pageOf([...before, { ...record, n: before.length + 1, boot: String(boot) }]);
      const number = meanings.get(page.key) ?? pages.push(page) - 1;
      meanings.set(page.key, number);
      numbers.set(id, number);
      return number;
    },
  };
}

function pageOf(records: readonly LedgerRecord[]): Page {
  const open = findOpen(records);
  const entries = records.map(({ entry }) => entry);
  const ended = entries.filter((entry) => entry.kind === 'ended');
  const held = new Set<string>(quarantined(records).keys());
  const transactions = entries.flatMap((entry) => (entry.kind === 'opened' ? [entry.transaction] : []));
  const { from, to } = transactions.at(-1) ?? {};
  const lastEnded = ended.at(-1);
  const interrupted = ended.filter(({ failure }) => failure?.code === 'ACTIVATE_INTERRUPTED').length;
  const before = (['old', 'new'] as Version[]).map((version) => committedBefore(version, { records }) ?? '');
  const begun = (state: Working): number =>
    entries.filter((entry) => entry.kind === 'intent' && entry.tx === open?.transaction.id && entry.state === state)
      .length;
  const counts = new Map<Working, number>(COUNTED.map((state) => [state, begun(state)]));
  const times = (state: Working): number => counts.get(state) ?? 0;
  const reach =
    open === undefined
      ? ''
      : [
          open.transaction.action,
          open.reached,
          [...open.visited].sort(),
          open.failure?.code,
          open.lastEvent,
          open.boot,
          open.rests,
          open.backup,
          open.restored,
          ...COUNTED.map(times),
        ];
  const last = [from, to, lastEnded?.outcome, lastEnded?.quarantine?.cause, lastEnded?.failure?.code];
  const key = JSON.stringify([reach, [...held].sort(), interrupted, before, last, transactions.length]);
  return { records, open, quarantined: held, opened: transactions.length, times, lastEnded, key };
}
