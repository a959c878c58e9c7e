import type { ExitCode } from '../errors.ts';
import type { Force } from '../orders.ts';
import type { Fingerprint, NodeName, Version } from '../release.ts';
import type { Format } from './report-error.ts';

/** What was typed, or asked for by a unit: checked for shape, not yet for sense. */
export type Command =
  | { readonly name: 'status'; readonly node?: string }
  | { readonly name: 'why'; readonly node?: string }
  | { readonly name: 'versions'; readonly node?: string; readonly view: 'list' | 'verify' }
  | { readonly name: 'restage'; readonly node?: string; readonly version: Version; readonly mode: Mode }
  | { readonly name: 'history'; readonly node?: string; readonly limit: number }
  | { readonly name: 'check'; readonly node?: string; readonly offered: 'exit-100' | 'exit-0' }
  | {
      readonly name: 'upgrade';
      readonly node?: string;
      readonly to?: Version;
      readonly force: readonly Force[];
      readonly mode: Mode;
    }
  | {
      readonly name: 'rollback';
      readonly node?: string;
      readonly to?: Version;
      /** The data goes back as well, to the newest backup that the version left. */
      readonly data?: 'restore';
      readonly force: readonly Force[];
      readonly mode: Mode;
    }
  | { readonly name: 'prune'; readonly node?: string; readonly keep?: number; readonly mode: Mode }
  | { readonly name: 'drill'; readonly node?: string; readonly consent: 'given' | 'asked'; readonly mode: Mode }
  | { readonly name: 'config'; readonly node?: string; readonly view: 'show' | 'check' }
  | {
      readonly name: 'backup';
      readonly action: 'create' | 'list' | 'verify' | 'restore';
      readonly id?: string;
      readonly node?: string;
      readonly mode: Mode;
    }
  | ({ readonly name: 'keys'; readonly mode: Mode } & KeysAction)
  /** yargs has answered already (--help, --version, completion). */
  | { readonly name: 'answered' }
  /** A command of the publisher, which reads its own arguments. */
  | { readonly name: 'release' }
  /** Called by our units. */
  | { readonly name: 'transact'; readonly node: NodeName }
  | { readonly name: 'fetch'; readonly node: NodeName }
  | { readonly name: 'probe'; readonly node: NodeName }
  | { readonly name: 'backup-room'; readonly node: NodeName }
  | { readonly name: 'run' };

export type KeysAction =
  | { readonly action: 'list' | 'verify'; readonly node?: string }
  | { readonly action: 'add'; readonly file: string; readonly fingerprint: Fingerprint; readonly node?: string }
  | { readonly action: 'remove'; readonly fingerprint: Fingerprint; readonly node?: string };

/** `follow` waits for the end; `no-wait` only asks; `dry-run` only says what would be done. */
export type Mode = 'follow' | 'no-wait' | 'dry-run';

export interface Invocation {
  readonly command: Command;
  readonly format: Format;
}

export type CommandOf<Name extends Command['name']> = Extract<Command, { readonly name: Name }>;

/** 128 + SIGINT, as a shell reports it: nothing was ended but the following. */
export const INTERRUPTED = 130;

export type Ended = ExitCode | typeof INTERRUPTED;
