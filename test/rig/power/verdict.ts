/**
 * What must hold on the disk of a host whose power was cut, at once, before anything of ours has run (DESIGN.md section 2,
 * promises 2 and 3; I1, I3, I4 and I5 of the invariants). Pure: facts in, violations out, each a sentence.
 */
import type { Verdict } from '../../../src/activation/verify-version.ts';
import type { Links } from '../../../src/activation/links.ts';
import type { LedgerRecord } from '../../../src/machine/record.ts';
import { findOpen, judge, type OpenTransaction } from '../../../src/machine/recover.ts';
import { next } from '../../../src/machine/transitions.ts';
import type { Version } from '../../../src/release.ts';
import type { DiskFacts, Read } from './disk-facts.ts';

export interface Expected {
  /** The digest of each version that was published. */
  readonly references: ReadonlyMap<string, string>;
  /** The drop-in of the node, whole. */
  readonly dropIn: string;
  /** What an earlier power cut would have left. Nothing of it may be lost later. */
  readonly floor: DiskFacts | undefined;
  /** What somebody was told, or could see that it was done, before the power was cut. */
  readonly promise: Promised;
}

export interface Promised {
  /** The ledger has at least so many records. */
  readonly records: number;
  readonly current?: string;
}

export interface Seen {
  readonly disk: DiskFacts;
  /** The links once the fallback at boot has run. */
  readonly booted: Read<Links>;
}

/** What a drill stages is made on the host, to fail: nobody published it. */
const DRILL = '-drill';

export function violationsOf({ disk, booted }: Seen, expected: Expected): string[] {
  const found = [...versionViolations(disk, expected)];
  if ('wrong' in disk.links) return [...found, `a link: ${disk.links.wrong}`];
  if ('wrong' in booted) return [...found, `a link after the boot: ${booted.wrong}`];
  if ('wrong' in disk.ledger) return [...found, `the ledger: ${disk.ledger.wrong}`];
  if ('wrong' in disk.serial) return [...found, `trust.json: ${disk.serial.wrong}`];
  const { records } = disk.ledger.value;
  const links = disk.links.value;
  return [
    ...found,
    ...linkViolations(links, disk, expected),
    ...memoryViolations(records, disk.serial.value, expected),
    ...promiseViolations(records, links, expected.promise),
    ...orderViolations(records, links),
    ...bootViolations(records, links, booted.value, disk),
  ];
}

/** Nothing has a version's name but the whole version, with its record, and with a listing by which it holds. */
function versionViolations({ versions, staged, verdicts }: DiskFacts, { references }: Expected): string[] {
  return [...versions].flatMap(([name, digest]) => [
    ...(references.get(name) === digest || name.endsWith(DRILL) ? [] : [`versions/${name} is not what was published`]),
    ...(staged.has(name) ? [] : [`versions/${name} has no record`]),
    ...(name.endsWith(DRILL) ? [] : listingViolations(name, verdicts.get(name))),
  ]);
}

function listingViolations(name: string, verdict: Verdict | undefined): string[] {
  switch (verdict?.state) {
    case undefined:
    case 'holds':
      return [];
    case 'damaged':
      return [`versions/${name} is not what its listing says: ${JSON.stringify(verdict.differences)}`];
    case 'unverifiable':
      return [`versions/${name} cannot be verified: ${verdict.why}`];
  }
}

function linkViolations({ current, fallback }: Links, { versions, dropIn }: DiskFacts, expected: Expected): string[] {
  const dangling = (name: string, to: Version | undefined): string[] =>
    to === undefined || versions.has(to) ? [] : [`${name} names ${to}, which is not there`];
  return [
    ...dangling('current', current),
    ...dangling('fallback', fallback),
    ...(fallback === undefined || dropIn === expected.dropIn ? [] : ['fallback is there, and nothing runs it at boot']),
  ];
}

/** What was on the disk for good is still there. */
function memoryViolations(records: readonly LedgerRecord[], serial: number, { floor }: Expected): string[] {
  const highest = Math.max(
    0,
    ...records.map(({ entry }) => (entry.kind === 'opened' ? (entry.transaction.serial ?? 0) : 0)),
  );
  const found = serial < highest ? [`trust.json has serial ${serial}, and a transaction was opened at ${highest}`] : [];
  if (floor === undefined || 'wrong' in floor.ledger || 'wrong' in floor.serial) return found;
  const known = floor.ledger.value.records;
  const kept = known.every((record, at) => JSON.stringify(records[at]) === JSON.stringify(record));
  if (!kept) found.push(`the ledger has lost records: ${records.length}, and there were ${known.length}`);
  if (serial < floor.serial.value) found.push(`trust.json has serial ${serial}, and had ${floor.serial.value} before`);
  return found;
}

function promiseViolations(
  records: readonly LedgerRecord[],
  { current, fallback }: Links,
  promise: Promised,
): string[] {
  const found: string[] = [];
  if (records.length < promise.records) {
    found.push(`the ledger has ${records.length} records, and ${promise.records} were reported as durable`);
  }
  if (promise.current !== undefined && current !== promise.current) {
    found.push(`current names ${current ?? 'nothing'}, and ${promise.current} was reported as committed`);
  }
  if (promise.current !== undefined && fallback !== undefined) found.push('fallback is there after a reported commit');
  return found;
}

/** Effects stand in the ledger before they act, and have happened once their result stands there. */
function orderViolations(records: readonly LedgerRecord[], links: Links): string[] {
  const open = findOpen(records);
  const committed = committedBy(records);
  const { current, fallback } = links;
  if (open === undefined) {
    if (current === committed && fallback === undefined) return [];
    return [`nothing is open and ${committed ?? 'nothing'} is committed, but the links are ${shown(links)}`];
  }
  const { from, to } = open.transaction;
  const was = (state: Parameters<typeof open.visited.has>[0]): boolean => open.visited.has(state);
  const found: string[] = [];
  if (from !== committed) found.push(`a transaction from ${from ?? 'nothing'} was opened on ${committed ?? 'nothing'}`);
  if (current !== from && !(current === to && was('activate'))) found.push(`${shown(links)} before any intent says so`);
  if (fallback !== undefined && (fallback !== from || !was('arm')))
    found.push(`${shown(links)} before any intent says so`);
  if (from === undefined) return found;
  if (fallback === undefined && current === to && !was('commit')) found.push(`${to} looks committed before the commit`);
  if (fallback !== undefined && was('clean')) found.push('fallback is there after the commit');
  if (fallback !== undefined && was('start') && current !== to) found.push(`${to} was started, and is not current`);
  return found;
}

/** What systemd alone makes of it: a committed version, and a transaction that a later run can settle by name. */
function bootViolations(
  records: readonly LedgerRecord[],
  before: Links,
  booted: Links,
  { versions }: DiskFacts,
): string[] {
  const found: string[] = [];
  const open = findOpen(records);
  if (booted.fallback !== undefined) found.push('fallback is still there after the boot');
  if (before.fallback !== undefined && booted.current !== before.fallback)
    found.push('the boot did not put fallback back');
  if (open === undefined) return found;
  const { from, to } = open.transaction;
  const mayCommit = open.visited.has('commit') || from === undefined;
  if (booted.current !== from && !(booted.current === to && mayCommit)) {
    found.push(`${booted.current ?? 'nothing'} boots, neither ${from ?? 'nothing'} nor a committed ${to}`);
  }
  if (from !== undefined && !versions.has(from)) found.push(`${from}, which ${to} is to replace, is not there`);
  const event = judge(open, booted);
  const then = next('settle', event);
  if (then === undefined || then === 'yield') found.push(`settling it would answer ${event}, and that leads nowhere`);
  if (event === 'committed' && booted.current !== to)
    found.push(`it would be settled as committed to ${to}, which is not current`);
  if (event === 'untouched' && booted.current !== from) found.push('it would be settled as untouched, and it is not');
  if (event === 'put-back' && booted.current !== from) found.push('it would be settled as put back, and it is not');
  return found;
}

/** The version that every transaction which has ended leaves committed. */
export function committedBy(records: readonly LedgerRecord[]): Version | undefined {
  let committed: Version | undefined;
  let open: OpenTransaction['transaction'] | undefined;
  for (const { entry } of records) {
    if (entry.kind === 'opened') open = entry.transaction;
    if (entry.kind !== 'ended' || open === undefined) continue;
    committed = entry.outcome === 'committed' ? open.to : open.from;
  }
  return committed;
}

function shown({ current, fallback }: Links): string {
  return `current ${current ?? 'nothing'}, fallback ${fallback ?? 'nothing'}`;
}
