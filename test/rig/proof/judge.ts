/** What must be true of a strike beside the invariants: how it ended, and what was said of it. Pure. */
import type { ErrorCode } from '../../../src/errors.ts';
import type { Situation } from './stage.ts';
import type { Struck } from './strike.ts';

/** A kill says nothing about a version: no code but that of an interruption, and a good version is committed or is not. */
export function problemsOfKill(situation: Situation, struck: Struck): string[] {
  const known: readonly ErrorCode[] =
    situation === 'bad upgrade' ? ['ACTIVATE_INTERRUPTED', 'GATE_EXITED'] : ['ACTIVATE_INTERRUPTED'];
  return [...common(situation, struck), ...otherCodes(struck, (code) => known.includes(code))];
}

/** A disk that fails once is named as that, blames no version, and is nothing to the next run (promise 9). */
export function problemsOfFault(situation: Situation, struck: Struck): string[] {
  const { after, entries, versions } = struck;
  const known: readonly ErrorCode[] = situation === 'bad upgrade' ? ['GATE_EXITED', 'POLICY_QUARANTINED'] : [];
  const blamed = entries.flatMap((entry) => (entry.kind === 'ended' && entry.quarantine !== undefined ? [entry] : []));
  const wrongly = blamed.filter(
    ({ quarantine, outcome }) => quarantine?.version === versions.TO && outcome !== 'committed',
  );
  const taken = situation === 'bad upgrade' || after.current === `versions/${versions.TO}`;
  return [
    ...common(situation, struck),
    ...otherCodes(struck, (code) => known.includes(code) || code.startsWith('DISK_')),
    ...(situation === 'bad upgrade'
      ? []
      : wrongly.map(() => `${versions.TO} is in quarantine for a fault of the disk`)),
    ...(taken ? [] : [`the next run did not take ${versions.TO}`]),
  ];
}

function common(situation: Situation, { after, before, said, versions, violations }: Struck): string[] {
  const stayed = situation !== 'bad upgrade' || after.current === before.current;
  const foreseen = !/INTERNAL|fault in node-updater|^\s+at /m.test(said);
  return [
    ...violations,
    ...(stayed ? [] : [`${versions.TO} was committed`]),
    ...(foreseen ? [] : [`an error that nobody foresaw: ${said}`]),
  ];
}

function otherCodes({ entries }: Struck, allowed: (code: ErrorCode) => boolean): string[] {
  const failures = entries.flatMap((entry) => ('failure' in entry ? [entry.failure] : []));
  return failures.filter(({ code }) => !allowed(code)).map(({ code, message }) => `${code}: ${message}`);
}
