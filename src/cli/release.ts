/** `node-updater release …`, the publisher's commands. It reads its own arguments, so that hosts never load it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs, { type Argv, type Options } from 'yargs';
import { parseDuration } from '../config/units.ts';
import { EXIT, UpdaterError, type ExitCode } from '../errors.ts';
import type { Files, Run } from '../host/ports.ts';
import { parseFingerprint, parseVersion, type Version } from '../release.ts';
import type { BuildOptions } from '../release/build.ts';
import type { Gpg } from '../release/gpg.ts';
import type { PublishDeps, PublishOptions } from '../release/publish.ts';
import type { TrustedKey } from '../settings.ts';
import type { Gpgv } from '../trust/gpgv.ts';
import type { Output } from './output.ts';

export interface ReleaseDeps {
  readonly output: Pick<Output, 'print' | 'json'>;
  readonly files: Files;
  readonly run: Run;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** gpg finds GNUPGHOME and GPG_TTY here; SOURCE_DATE_EPOCH is the time of a build. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What is said: lines for people, or one JSON value. */
interface Answer {
  readonly lines: readonly string[];
  readonly value: object;
}

const text = { type: 'string', requiresArg: true } as const satisfies Options;
const texts = { ...text, array: true, default: [] as string[] } as const;
/** A default would count as given. */
const neededTexts = { ...text, array: true, demandOption: true } as const;
const number = { type: 'number', requiresArg: true } as const satisfies Options;
const dryRun = { type: 'boolean', default: false, describe: 'Only say what would be done' } as const;

/** `argv` begins after `release`. Throws USAGE_INVALID, and what the commands throw. */
export async function runRelease(argv: readonly string[], deps: ReleaseDeps): Promise<ExitCode> {
  let answer: (() => Promise<Answer>) | undefined;
  const parser = releaseCommand(yargs([...argv]), deps, (command) => {
    answer = command;
  })
    .scriptName('node-updater release')
    .version(false)
    .option('json', { type: 'boolean', default: false, describe: 'Answer in JSON', global: true })
    .demandCommand(1, 'a command is missing')
    .strict()
    .parserConfiguration({ 'duplicate-arguments-array': false, 'greedy-arrays': false })
    .exitProcess(false)
    .fail((message: string | undefined, error: unknown) => {
      throw error instanceof UpdaterError ? error : usage(message ?? String(error));
    });
  const { json } = await parser.parseAsync();
  if (answer === undefined) return EXIT.done; // --help
  const { lines, value } = await answer();
  if (json) deps.output.json({ schema: 1, ...value });
  else deps.output.print(lines);
  return EXIT.done;
}

/** Adds the commands to a parser; `take` gets the one that was typed, which has not begun. */
export function releaseCommand(parser: Argv, deps: ReleaseDeps, take: (command: () => Promise<Answer>) => void): Argv {
  return parser
    .command('build <directory>', 'Make a reproducible archive from a directory', buildArgs, (args) => {
      const options = buildOptions(args, deps.env);
      take(() => (args.dryRun ? survey(options) : build(options, deps)));
    })
    .command('sign <archive..>', 'Sign archives with your gpg', signArgs, (args) => {
      take(() => sign(args.archive, args.localUser, args.dryRun ? 'dry-run' : 'do', deps));
    })
    .command('publish <directory> [release..]', 'Put signed releases into a static directory', publishArgs, (args) => {
      const options = publishOptions(args, deps.now());
      take(() => publish(options, args.dryRun ? 'dry-run' : 'do', deps));
    })
    .command('verify <directory>', 'See a published directory as a host does', verifyArgs, (args) => {
      const keys = args.key.map(trustedKey);
      const threshold = whole('threshold', args.threshold) ?? 1;
      take(() => verify({ directory: args.directory, keys, threshold, now: deps.now() }, deps));
    });
}

function buildArgs(args: Argv) {
  return args
    .positional('directory', { type: 'string', demandOption: true, describe: 'What hosts will find in VERSION/' })
    .option('name', { ...text, demandOption: true, describe: 'The product' })
    .option('version', { ...text, demandOption: true, describe: 'The version' })
    .option('out', { ...text, demandOption: true, describe: 'Where the archive goes' })
    .option('binary', { ...text, describe: 'The program, inside the directory; says --arch and --libc' })
    .option('arch', { ...text, choices: ['amd64', 'arm64'] as const })
    .option('libc', { ...text, choices: ['gnu', 'musl', 'static'] as const })
    .option('format', { ...text, choices: ['tar.zst', 'tar.gz', 'tar'] as const, default: 'tar.zst' as const })
    .option('level', { ...number, describe: 'Of the compressor: 19 for zst, 9 for gz unless given' })
    .option('epoch', { ...number, default: 0, describe: 'Data format number' })
    .option('rollback', { ...text, choices: ['safe', 'restore-data', 'never'] as const, default: 'safe' as const })
    .option('severity', {
      ...text,
      choices: ['routine', 'important', 'critical'] as const,
      default: 'routine' as const,
    })
    .option('notes', { ...text, describe: 'A sentence or a URL for operators' })
    .option('dry-run', dryRun);
}

function signArgs(args: Argv) {
  return args
    .positional('archive', { type: 'string', array: true, demandOption: true, describe: 'What build made' })
    .option('local-user', { ...texts, alias: 'u', describe: 'As gpg takes it; its default key unless given' })
    .option('dry-run', dryRun);
}

function publishArgs(args: Argv) {
  return args
    .positional('directory', { type: 'string', demandOption: true, describe: 'The static directory' })
    .positional('release', {
      type: 'string',
      array: true,
      default: [] as string[],
      describe: 'The .release.json of signed archives; none renews the manifest',
    })
    .option('local-user', { ...neededTexts, alias: 'u', describe: 'Signs the manifest; may be repeated' })
    .option('key', { ...texts, describe: 'FILE=FINGERPRINT of another key that hosts trust' })
    .option('name', { ...text, describe: 'The product, as the release has it unless given' })
    .option('channel', { ...text, describe: 'stable unless given the first time' })
    .option('expires', { ...text, default: '30d', describe: 'A duration from now, or a time in UTC' })
    .option('serial', { ...number, describe: 'One more than the last unless given' })
    .option('minimum', { ...text, describe: 'The oldest version that hosts may run' })
    .option('suggest', { ...text, describe: 'The newest of the releases unless given' })
    .option('withdraw', { ...texts, describe: 'A version that no host may take any more' })
    .option('not-before', { ...text, describe: 'When hosts may activate the releases: a duration from now, or a time' })
    .option('mirror', { ...texts, describe: 'URL of a copy of the directory' })
    .option('keep', { ...number, default: 10, describe: 'How many releases the manifest states' })
    .option('dry-run', dryRun);
}

function verifyArgs(args: Argv) {
  return args
    .positional('directory', { type: 'string', demandOption: true, describe: 'The static directory' })
    .option('key', { ...neededTexts, describe: 'FILE=FINGERPRINT of a trusted key; may be repeated' })
    .option('threshold', { ...number, default: 1, describe: 'How many distinct keys must have signed' });
}

type ArgsOf<Make extends (args: Argv) => unknown> = ReturnType<Make> extends Argv<infer Args> ? Camel<Args> : never;
/** yargs offers each option by its name in camel case as well. */
type Camel<Args> = { readonly [Key in keyof Args as Key extends string ? CamelKey<Key> : Key]: Args[Key] };
type CamelKey<Key extends string> = Key extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Tail>}` : Key;

function buildOptions(args: ArgsOf<typeof buildArgs>, env: ReleaseDeps['env']): BuildOptions {
  const { directory, out, name, arch, libc, format, binary, rollback, severity, notes } = args;
  return {
    ...{ directory, out, name, arch, libc, format, binary, rollback, severity, notes },
    version: versionOf('version', args.version),
    level: whole('level', args.level),
    epoch: whole('epoch', args.epoch),
    mtime: whole('SOURCE_DATE_EPOCH', env['SOURCE_DATE_EPOCH']),
  };
}

function publishOptions(args: ArgsOf<typeof publishArgs>, now: number): PublishOptions {
  const { directory, release: releases, localUser: signers, name, channel, mirror: mirrors } = args;
  const bad = mirrors.find((mirror) => !/^https?:\/\//.test(mirror) || !URL.canParse(mirror));
  if (bad !== undefined) throw usage(`--mirror ${JSON.stringify(bad)} is no http or https URL`);
  return {
    ...{ directory, releases, signers, name, channel, mirrors },
    otherKeys: args.key.map(trustedKey),
    expires: timeOf('expires', args.expires, now),
    serial: whole('serial', args.serial),
    keep: whole('keep', args.keep) ?? 10,
    minimum: args.minimum === undefined ? undefined : versionOf('minimum', args.minimum),
    suggested: args.suggest === undefined ? undefined : versionOf('suggest', args.suggest),
    withdrawn: args.withdraw.map((version) => versionOf('withdraw', version)),
    notBefore: args.notBefore === undefined ? undefined : timeOf('not-before', args.notBefore, now),
  };
}

async function build(options: BuildOptions, { files }: ReleaseDeps): Promise<Answer> {
  const { buildRelease } = await import('../release/build.ts');
  const built = await buildRelease(options, files);
  const { description } = built;
  const content = `${description.size} bytes, unpacked ${description.unpacked_size} in ${description.entries} entries`;
  return {
    lines: [built.archive, `  ${content}`, `  sha256 ${description.sha256}`, built.descriptionFile],
    value: built,
  };
}

async function survey(options: BuildOptions): Promise<Answer> {
  const { surveyRelease } = await import('../release/build.ts');
  const counts = await surveyRelease(options);
  return {
    lines: [`would pack ${counts.entries} entries, ${counts.unpackedSize} bytes`],
    value: { dryRun: true, ...counts },
  };
}

type Doing = 'do' | 'dry-run';

async function sign(
  archives: readonly string[],
  signers: readonly string[],
  doing: Doing,
  deps: ReleaseDeps,
): Promise<Answer> {
  if (doing === 'dry-run') {
    const by = signers.length === 0 ? 'the default key of gpg' : signers.join(', ');
    return { lines: archives.map((each) => `would sign ${each} by ${by}`), value: { dryRun: true, archives, signers } };
  }
  const { signRelease } = await import('../release/sign.ts');
  const signed = [];
  for (const archive of archives) signed.push(await signRelease({ archive, signers }, gpgOf(deps), deps.files));
  const lines = signed.map(({ signature, keys }) => `${signature}\n  by ${keys.join(', ')}`.split('\n')).flat();
  return { lines, value: { signed } };
}

async function publish(options: PublishOptions, doing: Doing, deps: ReleaseDeps): Promise<Answer> {
  const { planPublication, publishRelease } = await import('../release/publish.ts');
  const { describePlan } = await import('../release/words.ts');
  return withGpgv(deps, async (gpgv) => {
    const publishDeps: PublishDeps = { gpg: gpgOf(deps), files: deps.files, gpgv, now: deps.now };
    const dry = doing === 'dry-run';
    const plan = dry ? await planPublication(options, publishDeps) : await publishRelease(options, publishDeps);
    const added = plan.added.map(({ place }) => place);
    const lines = describePlan(plan).map((line) => (dry ? `would ${line}` : line));
    return { lines, value: { ...(dry ? { dryRun: true } : {}), added, manifest: plan.manifest } };
  });
}

async function verify(
  options: { directory: string; keys: readonly TrustedKey[]; threshold: number; now: number },
  deps: ReleaseDeps,
): Promise<Answer> {
  const { verifyRelease } = await import('../release/verify.ts');
  const { describeReport } = await import('../release/words.ts');
  const report = await withGpgv(deps, (gpgv) => verifyRelease(options, gpgv));
  return { lines: describeReport(report), value: report };
}

function gpgOf({ run, env }: ReleaseDeps): Gpg {
  const set = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return { run, env: Object.fromEntries(set) };
}

async function withGpgv<T>({ run }: ReleaseDeps, use: (gpgv: Gpgv) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(join(tmpdir(), 'node-updater-'));
  try {
    return await use({ run, gpgv: '/usr/bin/gpgv', scratch });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function trustedKey(pair: string): TrustedKey {
  const at = pair.lastIndexOf('=');
  const fingerprint = parseFingerprint(pair.slice(at + 1));
  if (at > 0 && fingerprint !== undefined) return { file: pair.slice(0, at), fingerprint };
  throw usage(`--key ${JSON.stringify(pair)} is not FILE=FINGERPRINT with a full fingerprint`);
}

function versionOf(option: string, given: string): Version {
  const version = parseVersion(given);
  if (version !== undefined) return version;
  throw usage(`--${option} ${JSON.stringify(given)} is no version: letters, digits and . _ + ~ - only, 64 at most`);
}

function whole(option: string, given: number | string | undefined): number | undefined {
  if (given === undefined || given === '') return undefined;
  const value = Number(given);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw usage(`${option} takes a whole number`);
}

function timeOf(option: string, given: string, now: number): number {
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(given)) {
    const time = Date.parse(given);
    if (!Number.isNaN(time)) return time;
  }
  const duration = parseDuration(given);
  if (duration.ok) return now + duration.value;
  throw usage(
    `--${option} ${JSON.stringify(given)} is neither a duration like 30d nor a time like 2026-12-31T00:00:00Z`,
  );
}

function usage(message: string): UpdaterError {
  return new UpdaterError('USAGE_INVALID', message, { remedy: 'See: node-updater release --help' });
}
