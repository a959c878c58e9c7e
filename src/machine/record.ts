import type { Event, Failure, Outcome, State, Transaction, Working } from './state.ts';
import type { Version } from '../release.ts';

/**
 * One line of the ledger. `kind` and the names of states are a format: they stay when code is renamed. Every format
 * ever shipped keeps a fixture in test/fixtures.
 */
export interface LedgerRecord {
  readonly v: 1;
  /** Counts from 1. */
  readonly n: number;
  /** SHA-256 of the line before it, 64 zeros for the first. */
  readonly prev: string;
  /** RFC 3339 in UTC, for people. */
  readonly at: string;
  readonly boot: string;
  /** CLOCK_MONOTONIC in microseconds, decimal. */
  readonly mono: string;
  readonly entry: Entry;
}

export type Entry =
  | { readonly kind: 'opened'; readonly transaction: Transaction }
  /** Written, and on the disk, before the step acts. */
  | { readonly kind: 'intent'; readonly tx: string; readonly state: Working }
  | {
      readonly kind: 'result';
      readonly tx: string;
      readonly state: Working;
      readonly event: Event;
      readonly then: State;
      readonly failure?: Failure;
      /** Facts worth keeping: what a probe said, how long the node was down. */
      readonly facts?: Readonly<Record<string, string | number>>;
    }
  | {
      readonly kind: 'ended';
      readonly tx: string;
      readonly outcome: Outcome;
      readonly failure?: Failure;
      /** This version failed here, and why; undefined when the cause says nothing about the version (promise 9). */
      readonly quarantine?: Quarantine;
    }
  /** A request that needed no transaction, or could not get one. */
  | {
      readonly kind: 'answer';
      readonly request: string;
      readonly exit: number;
      readonly message: string;
      readonly failure?: Failure;
    }
  | { readonly kind: 'lifted'; readonly version: Version; readonly request: string };

export interface Quarantine {
  readonly version: Version;
  readonly cause: 'gate' | 'interrupted' | 'operator';
  readonly message: string;
}
