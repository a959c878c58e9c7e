/** `release publish` and `release upload`. */
import type { Argv } from 'yargs';
import type { PublishOptions } from '../../release/publish.ts';
import type { Completion } from '../../release/complete.ts';
import type { TypedPath } from '../typed-path.ts';
import {
  atLeastOne,
  dryRun as dryRunOption,
  having,
  keyPaths,
  text,
  texts,
  timeOf,
  trustedKey,
  usage,
  versionOf,
  withSigning,
} from './command.ts';
import type { Announce, Answer, ArgsOf, ReleaseDeps, Take } from './command.ts';
import {
  describeTarget,
  manifestOptions,
  optionPaths,
  publishManifest,
  sitePaths,
  targetOf,
  upload,
  uploadsOf,
  forcesOf,
  MANIFEST,
  UPLOAD,
} from './manifest.ts';
import { rolloutWish, ROLLOUT } from './rollout-args.ts';

export function publishCommand(parser: Argv, deps: ReleaseDeps, take: Take): Argv {
  return parser
    .command('publish <directory> [release..]', 'Put signed releases into a static directory', publishArgs, (args) => {
      if (args.signed !== undefined) {
        const path = args.signed;
        refuseMixed(args);
        const paths = [newSite(args.directory), { ...SIGNED, path }, ...keyPaths('--key', args.key.map(trustedKey))];
        take(having(paths, (announce) => complete(path, args, deps, announce)));
        return;
      }
      const target = targetOf(args);
      const options = publishOptions(args, deps.now());
      take(
        having(pathsOf(args), (announce) => publishManifest(options, { target, dryRun: args.dryRun }, deps, announce)),
      );
    })
    .command('upload <directory>', 'Copy a published directory to a server again', uploadArgs, (args) => {
      const uploads = uploadsOf(args);
      if (uploads.length === 0) throw usage('upload where to? Give --rsync or --s3');
      const uploading = async (): Promise<Answer> => {
        if (!args.dryRun) return answerOf(await upload(args.directory, uploads, deps));
        const lines = await describeTarget(args.directory, { kind: 'publish', uploads });
        return answerOf(lines.map((line) => `would ${line}`));
      };
      take(having(sitePaths(args.directory, { request: undefined, key: [] }), uploading));
    });
}

const SIGNED = { from: '--signed', is: 'file', what: '--signed the request that the others have signed' } as const;
const RELEASE = {
  from: 'RELEASE',
  is: 'file',
  what: 'the .release.json that build has left beside its archive',
} as const;

/** Without a release the last manifest is renewed, so there must be one. */
function pathsOf(args: PublishArgs): readonly TypedPath[] {
  if (args.release.length === 0) return sitePaths(args.directory, args);
  return [newSite(args.directory), ...args.release.map((path) => ({ ...RELEASE, path })), ...optionPaths(args)];
}

function newSite(path: string): TypedPath {
  return {
    from: 'DIRECTORY',
    path,
    is: 'new directory',
    what: 'the directory to be served; it is made if it is not there',
  };
}

function answerOf(lines: readonly string[]): Answer {
  return { lines, value: { uploaded: lines } };
}

function uploadArgs(args: Argv) {
  return args
    .options(UPLOAD)
    .positional('directory', { type: 'string', demandOption: true, describe: 'The static directory' })
    .option('dry-run', dryRunOption);
}

function publishArgs(args: Argv) {
  return args
    .options({ ...MANIFEST, ...ROLLOUT })
    .positional('directory', { type: 'string', demandOption: true, describe: 'The static directory' })
    .positional('release', {
      type: 'string',
      array: true,
      default: [] as string[],
      describe: 'The .release.json of signed archives; none renews the manifest',
    })
    .option('signed', { ...text, describe: 'Publish this signing request, which enough have signed' })
    .option('name', { ...text, describe: 'The product, as the release has it unless given' })
    .option('channel', { ...text, describe: 'stable unless given the first time' })
    .option('minimum', { ...text, describe: 'The oldest version that hosts may run' })
    .option('suggest', { ...text, describe: 'The newest of the releases unless given' })
    .option('withdraw', { ...texts, describe: 'A version that no host may take any more' })
    .option('not-before', { ...text, describe: 'When hosts may activate the releases: a duration from now, or a time' })
    .option('mirror', { ...texts, describe: 'URL of a copy of the directory' });
}

/** A request states all that is published; nothing can be added to what others have signed. */
function refuseMixed(args: PublishArgs): void {
  if (args.request === undefined && args.localUser.length === 0 && args.release.length === 0) return;
  throw usage('--signed publishes a request as it is: leave --request, --local-user and releases out');
}

type PublishArgs = ArgsOf<typeof publishArgs>;

function publishOptions(args: PublishArgs, now: number): PublishOptions {
  const { directory, release: releases, name, channel, mirror: mirrors } = args;
  const bad = mirrors.find((mirror) => !/^https?:\/\//.test(mirror) || !URL.canParse(mirror));
  if (bad !== undefined) throw usage(`--mirror ${JSON.stringify(bad)} is no http or https URL`);
  return {
    ...manifestOptions(directory, args, now),
    ...{ releases, name, channel, mirrors },
    wish: rolloutWish(args),
    minimum: args.minimum === undefined ? undefined : versionOf('--minimum', args.minimum),
    suggested: args.suggest === undefined ? undefined : versionOf('--suggest', args.suggest),
    withdrawn: args.withdraw.map((version) => versionOf('--withdraw', version)),
    notBefore: args.notBefore === undefined ? undefined : timeOf('--not-before', args.notBefore, now),
  };
}

async function complete(path: string, args: PublishArgs, deps: ReleaseDeps, announce: Announce): Promise<Answer> {
  const { completePublication, planCompletion } = await import('../../release/complete.ts');
  const { directory } = args;
  const force = forcesOf(args.force);
  const keys = args.key.map(trustedKey);
  const threshold = atLeastOne('--threshold', args.threshold);
  const target = { kind: 'publish', uploads: uploadsOf(args) } as const;
  return withSigning(deps, async (signing) => {
    const options = { directory, path, keys, threshold, force };
    const told = {
      ...signing,
      announce: ({ changes }: Completion) => {
        announce(changes);
      },
    };
    const done = args.dryRun ? await planCompletion(options, signing) : await completePublication(options, told);
    const value = { kind: done.request.kind, says: done.says, changes: done.changes };
    if (args.dryRun) {
      const lines = [...done.changes, ...(await describeTarget(directory, target))].map((line) => `would ${line}`);
      return { lines, value: { dryRun: true, ...value } };
    }
    const uploaded = await upload(directory, target.uploads, deps);
    return { lines: [`published what ${path} says in ${directory}`, ...uploaded], value: { ...value, uploaded } };
  });
}
