import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { UpdaterError } from '../../../src/errors.ts';
import type { Clock } from '../../../src/host/ports.ts';
import type { Entry, LedgerRecord } from '../../../src/machine/record.ts';
import type { Version } from '../../../src/release.ts';

export const v = (text: string) => text as Version;

/** Records as the ledger would number them; the chain is not of interest where only their order is. */
export function recordsOf(entries: readonly Entry[]): LedgerRecord[] {
  return entries.map((entry, index) => ({
    v: 1,
    n: index + 1,
    prev: '0'.repeat(64),
    at: '2026-11-20T00:00:00.000Z',
    boot: 'boot',
    mono: String(index),
    entry,
  }));
}

/** A clock that a test sets; it never waits. */
export function stillClock(now = Date.UTC(2026, 10, 20)): Clock {
  const bootId = randomBytes(16).toString('hex');
  return { now: () => now, monotonic: () => 1n, bootId, wait: () => Promise.resolve() };
}

/** What it is refused with. */
export function refusal(work: Promise<unknown>): Promise<UpdaterError> {
  return work.then(
    () => expect.unreachable('it was accepted'),
    (error: unknown) => error as UpdaterError,
  );
}
