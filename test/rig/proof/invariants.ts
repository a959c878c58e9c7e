/**
 * What must hold for a node whatever happened to its transaction, and whenever: each violation begins with the number of
 * its invariant. Pure.
 *
 * - I1 `current` is a link to a complete version whose files are what was staged
 * - I2 the process that runs belongs to it
 * - I3 the ledger can be read, its chain is whole, and nothing of what it held is gone
 * - I4 the highest serial that was seen is not lower
 * - I5 the version before is intact
 * - I6 the data of the node is what it was, wholly
 * - I7 nothing outside of the managed directories changed
 * - I8 nothing is left over
 * - I9 every transaction has ended, and the link says the same as its end
 * - I10 a version that failed here is not tried again by itself
 */
import { parseLedger } from '../../../src/machine/ledger.ts';
import type { Entry, LedgerRecord } from '../../../src/machine/record.ts';
import { findOpen, quarantined } from '../../../src/machine/recover.ts';
import type { Transaction } from '../../../src/machine/state.ts';
import type { Observation } from './observe.ts';

/** What each version's directory must hold, by version. */
export type References = ReadonlyMap<string, string>;

/** What must hold at every instant, also between two system calls and before anything of ours has run again. */
export function violationsAtOnce(before: Observation, now: Observation, references: References): string[] {
  return [
    ...linksNameWholeVersions(before, now, references),
    ...ledgerGrows(before, now),
    ...serialRises(before, now),
    ...versionBeforeIntact(before, now, references),
    ...dataUntouched(before, now),
    ...nothingOutside(now),
  ];
}

/** What must hold when systemd has nothing more to do and one more run has had its chance. */
export function violations(before: Observation, now: Observation, references: References): string[] {
  return [
    ...violationsAtOnce(before, now, references),
    ...processBelongs(before, now),
    ...nothingLeft(now),
    ...allEnded(before, now),
    ...failedStaysAway(now),
  ];
}

function linksNameWholeVersions(before: Observation, now: Observation, references: References): string[] {
  const gone = before.current !== '' && now.current === '' ? ['I1 current is gone'] : [];
  const links = [now.current, now.fallback].filter((text) => text !== '');
  const broken = links.flatMap((text) => {
    const version = versionIn(text);
    if (version === undefined) return [`I1 a link reads "${text}"`];
    return brokenVersion(version, now, references).map((what) => `I1 a link names ${version}, ${what}`);
  });
  return [...gone, ...broken];
}

function brokenVersion(version: string, now: Observation, references: References): string[] {
  const files = now.versions.get(version);
  if (files === undefined) return ['which is not there'];
  return files === references.get(version) ? [] : ['whose files are not what was staged'];
}

function processBelongs(before: Observation, { current, unit }: Observation): string[] {
  if (current === '')
    return unit.activeState === 'inactive' ? [] : [`I2 nothing is installed, and the node is ${unit.activeState}`];
  // A first installation that went well is up as well.
  const wanted = before.current === '' || before.unit.activeState === 'active' ? 'active' : before.unit.activeState;
  if (unit.activeState !== wanted) return [`I2 the node is ${unit.activeState}, not ${wanted}`];
  const version = wanted === 'active' ? versionIn(current) : '';
  return unit.running === version ? [] : [`I2 ${unit.running || 'nothing'} runs, and current names ${version ?? ''}`];
}

function ledgerGrows(before: Observation, now: Observation): string[] {
  try {
    const { length } = recordsOf(now.ledger);
    const had = wholeLines(before.ledger);
    if (!now.ledger.startsWith(had)) return ['I3 records that the ledger had are gone or changed'];
    return length < recordsOf(before.ledger).length ? ['I3 the ledger is shorter than it was'] : [];
  } catch (error) {
    return [`I3 ${String(error)}`];
  }
}

/** A torn last line is no record, and may go. */
function wholeLines(ledger: string): string {
  return ledger.slice(0, ledger.lastIndexOf('\n') + 1);
}

function recordsOf(ledger: string): readonly LedgerRecord[] {
  return parseLedger(Buffer.from(ledger), 'ledger.jsonl').records;
}

function serialRises(before: Observation, now: Observation): string[] {
  try {
    const [old, young] = [serialIn(before.trust), serialIn(now.trust)];
    return young < old ? [`I4 the serial fell from ${old} to ${young}`] : [];
  } catch (error) {
    return [`I4 trust.json cannot be read: ${String(error)}`];
  }
}

function serialIn(trust: string): number {
  if (trust === '') return 0;
  const { serial } = JSON.parse(trust) as { serial?: unknown };
  if (typeof serial !== 'number') throw new Error('no serial in it');
  return serial;
}

function versionBeforeIntact(before: Observation, now: Observation, references: References): string[] {
  const version = versionIn(before.current);
  if (version === undefined) return [];
  return brokenVersion(version, now, references).map((what) => `I5 the version before is ${version}, ${what}`);
}

function dataUntouched(before: Observation, now: Observation): string[] {
  return now.data === before.data ? [] : ['I6 the data of the node has changed'];
}

function nothingOutside({ outside }: Observation): string[] {
  return outside.map((path) => `I7 ${path} has changed`);
}

function nothingLeft({ fallback, leftovers }: Observation): string[] {
  const links = fallback === '' ? [] : [`I8 fallback is left over: ${fallback}`];
  return [...links, ...leftovers.map((what) => `I8 left over: ${what}`)];
}

function allEnded(before: Observation, now: Observation): string[] {
  let records: readonly LedgerRecord[];
  try {
    records = recordsOf(now.ledger);
  } catch {
    return []; // said by I3
  }
  const open = findOpen(records);
  if (open !== undefined) return [`I9 the transaction to ${open.transaction.to} has not ended`];
  const should = committedIn(records.slice(recordsOf(before.ledger).length), versionIn(before.current));
  const is = versionIn(now.current);
  return should === is
    ? []
    : [`I9 the ledger says that ${should ?? 'nothing'} is committed, current names ${is ?? 'nothing'}`];
}

/** What the last transaction of these leaves as the committed version; `otherwise` when there is none. */
function committedIn(records: readonly LedgerRecord[], otherwise: string | undefined): string | undefined {
  const entries = records.map(({ entry }) => entry);
  const ended = entries.findLast((entry) => entry.kind === 'ended');
  const transaction = entries.findLast((entry) => entry.kind === 'opened')?.transaction;
  if (ended === undefined || transaction === undefined) return otherwise;
  return ended.outcome === 'committed' ? transaction.to : transaction.from;
}

/** Only what a person forces may open a transaction to a version in quarantine. */
function failedStaysAway({ ledger }: Observation): string[] {
  let records: readonly LedgerRecord[];
  try {
    records = recordsOf(ledger);
  } catch {
    return []; // said by I3
  }
  return records.flatMap(({ entry }, at) => {
    const transaction = openedBy(entry);
    if (transaction === undefined || transaction.action === 'rollback') return [];
    const failed = quarantined(records.slice(0, at)).has(transaction.to);
    return failed ? [`I10 ${transaction.to} failed here, and was tried again by itself (record ${at + 1})`] : [];
  });
}

function openedBy(entry: Entry): Transaction | undefined {
  return entry.kind === 'opened' ? entry.transaction : undefined;
}

function versionIn(link: string): string | undefined {
  return /^versions\/([^/]+)$/.exec(link)?.[1];
}
