/** What the publisher's commands have in common: their world, their answer, and how options are read. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Argv, Options } from 'yargs';
import { parseDuration } from '../../config/units.ts';
import { UpdaterError, type ExitCode } from '../../errors.ts';
import type { Clock, Files, Log, Run } from '../../host/ports.ts';
import { parseFingerprint, parseVersion, type Fingerprint, type Version } from '../../release.ts';
import type { Gpg } from '../../release/gpg.ts';
import type { SignDeps } from '../../release/publish.ts';
import type { TrustedKey } from '../../settings.ts';
import type { Gpgv } from '../../trust/gpgv.ts';
import type { Output } from '../output.ts';
import { requirePaths, type TypedPath } from '../typed-path.ts';

export interface ReleaseDeps {
  readonly output: Pick<Output, 'print' | 'json'>;
  readonly files: Files;
  readonly run: Run;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** gpg finds GNUPGHOME and GPG_TTY here; SOURCE_DATE_EPOCH is the time of a build. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What `verify URL` fetches with. */
  readonly web: WebDeps;
}

export interface WebDeps {
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'wait'>;
  readonly log: () => Promise<Log>;
  readonly signal: () => AbortSignal;
  /** For the User-Agent. */
  readonly version: string;
}

/** What is said at the end: lines for people, or one JSON value. */
export interface Answer {
  readonly lines: readonly string[];
  readonly value: object;
  readonly exit?: ExitCode;
}

/** Says lines to people before something is done; silent with --json. */
export type Announce = (lines: readonly string[]) => void;
/** A command that was typed and has not begun. */
export type Command = (announce: Announce) => Promise<Answer>;
export type Take = (command: Command) => void;

export type Spec = Readonly<Record<string, Options>>;

export const text = { type: 'string', requiresArg: true } as const satisfies Options;
export const texts = { ...text, array: true, default: [] as string[] } as const;
/** A default would count as given. */
export const neededTexts = { ...text, array: true, demandOption: true } as const;
export const number = { type: 'number', requiresArg: true } as const satisfies Options;
export const dryRun = { type: 'boolean', default: false, describe: 'Only say what would be done' } as const;
export const localUser = { ...texts, alias: 'u', describe: 'Who signs, as gpg takes it; may be repeated' } as const;
export const key = { ...texts, describe: 'FILE=FINGERPRINT of another key that hosts trust' } as const;

export type ArgsOf<Make extends (args: Argv) => unknown> =
  ReturnType<Make> extends Argv<infer Args> ? Camel<Args> : never;
/** yargs offers each option by its name in camel case as well. */
type Camel<Args> = { readonly [Key in keyof Args as Key extends string ? CamelKey<Key> : Key]: Args[Key] };
type CamelKey<Key extends string> = Key extends `${infer Head}-${infer Tail}`
  ? `${Head}${CamelKey<Capitalize<Tail>>}`
  : Key;

export function gpgOf({ run, env }: Pick<ReleaseDeps, 'run' | 'env'>): Gpg {
  return { run, env: definedEnv(env) };
}

export function definedEnv(env: ReleaseDeps['env']): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

export async function withSigning<T>(deps: ReleaseDeps, use: (sign: SignDeps) => Promise<T>): Promise<T> {
  return withScratch(async (scratch) => {
    return use({ gpg: gpgOf(deps), files: deps.files, gpgv: gpgvIn(scratch, deps), now: deps.now });
  });
}

export function gpgvIn(scratch: string, { run }: Pick<ReleaseDeps, 'run'>): Gpgv {
  return { run, gpgv: '/usr/bin/gpgv', scratch };
}

/** A private directory that is gone afterwards. */
export async function withScratch<T>(use: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(join(tmpdir(), 'node-updater-'));
  try {
    return await use(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export function signatures(count: number): string {
  return count === 1 ? '1 signature' : `${count} signatures`;
}

/** A command that begins with a look at the paths that were typed for it. */
export function having(paths: readonly TypedPath[], command: Command): Command {
  return async (announce) => {
    await requirePaths(paths);
    return command(announce);
  };
}

export function keyPaths(option: string, keys: readonly TrustedKey[]): readonly TypedPath[] {
  const what = `${option} FILE=FINGERPRINT with the public key that keygen has written`;
  return keys.map(({ file }) => ({ from: option, path: file, is: 'file', what }));
}

/** As yargs reads `--out=`: nothing. */
export function pathIf(given: string | undefined, typed: Omit<TypedPath, 'path'>): readonly TypedPath[] {
  return given === undefined ? [] : [{ ...typed, path: given }];
}

export function trustedKey(pair: string): TrustedKey {
  const at = pair.lastIndexOf('=');
  const fingerprint = parseFingerprint(pair.slice(at + 1));
  if (at > 0 && fingerprint !== undefined) return { file: pair.slice(0, at), fingerprint };
  throw usage(`${JSON.stringify(pair)} is not FILE=FINGERPRINT with a full fingerprint`);
}

export function fingerprintOf(given: string): Fingerprint {
  const fingerprint = parseFingerprint(given);
  if (fingerprint !== undefined) return fingerprint;
  throw usage(`${JSON.stringify(given)} is no full fingerprint`);
}

export function versionOf(option: string, given: string): Version {
  const version = parseVersion(given);
  if (version !== undefined) return version;
  throw usage(`${option} ${JSON.stringify(given)} is no version: letters, digits and . _ + ~ - only, 64 at most`);
}

export function whole(option: string, given: number | string | undefined): number | undefined {
  if (given === undefined || given === '') return undefined;
  const value = Number(given);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw usage(`${option} takes a whole number`);
}

export function atLeastOne(option: string, given: number | undefined): number | undefined {
  const value = whole(option, given);
  if (value !== 0) return value;
  throw usage(`${option} takes a number of 1 or more`);
}

export function timeOf(option: string, given: string, now: number): number {
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(given)) {
    const time = Date.parse(given);
    if (!Number.isNaN(time)) return time;
  }
  const duration = parseDuration(given);
  if (duration.ok) return now + duration.value;
  throw usage(`${option} ${JSON.stringify(given)} is neither a duration like 30d nor a time like 2026-12-31T00:00:00Z`);
}

export function durationOf(option: string, given: string): number {
  const duration = parseDuration(given);
  if (duration.ok) return duration.value;
  throw usage(`${option} ${JSON.stringify(given)} is no duration like 6h`);
}

export function usage(message: string): UpdaterError {
  return new UpdaterError('USAGE_INVALID', message, { remedy: 'See: node-updater release --help' });
}
