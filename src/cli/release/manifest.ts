/** What the commands that change the manifest have in common: who signs, until when, and where it goes. */
import type { Files } from '../../host/ports.ts';
import type { PublicationPlan, PublishOptions } from '../../release/publish.ts';
import type { SigningRequest } from '../../release/request.ts';
import { RELEASE_FORCES, type ReleaseForce } from '../../release/strand.ts';
import { S3_TOOLS, type S3Tool, type Upload } from '../../release/upload.ts';
import type { TypedPath } from '../typed-path.ts';
import {
  atLeastOne,
  definedEnv,
  dryRun,
  key,
  keyPaths,
  localUser,
  number,
  pathIf,
  signatures,
  text,
  texts,
  timeOf,
  trustedKey,
  usage,
  withSigning,
} from './command.ts';
import type { Announce, Answer, ReleaseDeps, Spec } from './command.ts';

export const UPLOAD = {
  rsync: { ...text, describe: 'Then copy the directory there, as rsync takes it: host:/srv/www/demo' },
  s3: { ...text, describe: 'Then copy the directory there: s3://bucket/prefix' },
  's3-tool': { ...text, choices: S3_TOOLS, describe: 'The first that is installed unless given' },
} as const satisfies Spec;

export const REQUEST = {
  ...UPLOAD,
  'local-user': localUser,
  request: { ...text, describe: 'Write a signing request for others instead of publishing' },
  'dry-run': dryRun,
} as const satisfies Spec;

export const MANIFEST = {
  ...REQUEST,
  key,
  threshold: { ...number, describe: 'How many keys must sign; as many as last time unless given' },
  expires: { ...text, default: '30d', describe: 'A duration from now, or a time in UTC' },
  serial: { ...number, describe: 'One more than the last unless given' },
  keep: { ...number, default: 10, describe: 'How many releases the manifest states' },
  force: { ...texts, choices: RELEASE_FORCES, describe: 'Overrule a refusal' },
} as const satisfies Spec;

/** As yargs gives what these options took. */
export interface UploadArgs {
  readonly rsync: string | undefined;
  readonly s3: string | undefined;
  readonly s3Tool: S3Tool | undefined;
}

export interface RequestArgs extends UploadArgs {
  readonly localUser: readonly string[];
  readonly request: string | undefined;
  readonly dryRun: boolean;
}

export interface ManifestArgs extends RequestArgs {
  readonly key: readonly string[];
  readonly threshold: number | undefined;
  readonly expires: string;
  readonly serial: number | undefined;
  readonly keep: number;
  readonly force: readonly string[];
}

/** Where what was made goes. */
export type Target =
  | { readonly kind: 'publish'; readonly uploads: readonly Upload[] }
  | { readonly kind: 'request'; readonly path: string };

/** Throws USAGE_INVALID. */
export function uploadsOf({ rsync, s3, s3Tool }: UploadArgs): readonly Upload[] {
  if (s3 !== undefined && !/^s3:\/\/[^/]/.test(s3)) throw usage(`--s3 ${JSON.stringify(s3)} is not s3://bucket/prefix`);
  return [
    ...(rsync === undefined ? [] : [{ kind: 'rsync', target: rsync } as const]),
    ...(s3 === undefined ? [] : [{ kind: 's3', target: s3, tool: s3Tool } as const]),
  ];
}

/** Throws USAGE_INVALID. */
export function targetOf(args: RequestArgs): Target {
  const uploads = uploadsOf(args);
  if (args.request === undefined) {
    if (args.localUser.length === 0) throw usage('nobody signs: give --local-user, or --request FILE for others');
    return { kind: 'publish', uploads };
  }
  if (uploads.length > 0) throw usage('what is only requested is not uploaded yet: upload when it is published');
  return { kind: 'request', path: args.request };
}

/** What every one of these commands says of the next manifest. Throws USAGE_INVALID. */
export function manifestOptions(directory: string, args: ManifestArgs, now: number): PublishOptions {
  return {
    directory,
    releases: [],
    mirrors: [],
    signers: args.localUser,
    otherKeys: args.key.map(trustedKey),
    threshold: atLeastOne('--threshold', args.threshold),
    expires: timeOf('--expires', args.expires, now),
    serial: atLeastOne('--serial', args.serial),
    keep: atLeastOne('--keep', args.keep) ?? 10,
    force: forcesOf(args.force),
  };
}

/** Of every command that changes what is published already. */
export function sitePaths(directory: string, args: Pick<ManifestArgs, 'request' | 'key'>): readonly TypedPath[] {
  const what = 'the directory that `release publish` has filled';
  return [{ from: 'DIRECTORY', path: directory, is: 'site', what }, ...optionPaths(args)];
}

export function optionPaths({ request, key }: Pick<ManifestArgs, 'request' | 'key'>): readonly TypedPath[] {
  const what = '--request a new file, in a directory that is there';
  return [...pathIf(request, { from: '--request', is: 'new file', what }), ...keyPaths('--key', key.map(trustedKey))];
}

/** yargs has let no other word through. */
export function forcesOf(given: readonly string[]): readonly ReleaseForce[] {
  return RELEASE_FORCES.filter((force) => given.includes(force));
}

/** Says what changes, then changes it, then copies it; or says it alone. */
export async function publishManifest(
  options: PublishOptions,
  { target, dryRun }: { readonly target: Target; readonly dryRun: boolean },
  deps: ReleaseDeps,
  announce: Announce,
): Promise<Answer> {
  const { planPublication, planRequest } = await import('../../release/publish.ts');
  const { describePlan } = await import('../../release/words.ts');
  return withSigning(deps, async (signing) => {
    if (dryRun) {
      const plan = await (target.kind === 'request' ? planRequest : planPublication)(options, signing);
      const lines = [...describePlan(plan), ...(await describeTarget(options.directory, target))];
      return { lines: lines.map((line) => `would ${line}`), value: { dryRun: true, ...valueOf(plan) } };
    }
    const told = {
      ...signing,
      announce: (plan: PublicationPlan) => {
        announce(describePlan(plan));
      },
    };
    const { publishRelease, requestPublication } = await import('../../release/publish.ts');
    if (target.kind === 'request') {
      const { plan, request } = await requestPublication(options, told);
      return {
        lines: await writeRequest(target.path, request, deps.files),
        value: { ...valueOf(plan), request: target.path },
      };
    }
    const plan = await publishRelease(options, told);
    const uploaded = await upload(options.directory, target.uploads, deps);
    return {
      lines: [`published ${options.directory}/manifest.json`, ...uploaded],
      value: { ...valueOf(plan), uploaded },
    };
  });
}

function valueOf({ added, manifest }: PublicationPlan): object {
  return { added: added.map(({ place }) => place), manifest };
}

export async function describeTarget(directory: string, target: Target): Promise<readonly string[]> {
  if (target.kind === 'request') return [`write ${target.path}`];
  const { uploadCommands } = await import('../../release/upload.ts');
  return target.uploads.flatMap((each) => {
    const commands = uploadCommands(directory, each, each.kind === 's3' ? each.tool : undefined);
    return commands.map((command) => `run ${command.join(' ')}`);
  });
}

export async function writeRequest(path: string, request: SigningRequest, files: Files): Promise<readonly string[]> {
  const { requestText } = await import('../../release/request.ts');
  await files.replace(path, requestText(request), 0o644);
  return [
    `${path} has ${signatures(request.signatures.length)}`,
    `each of the others types: node-updater release sign ${path} -u KEY`,
    `then you: node-updater release publish DIRECTORY --signed ${path}`,
  ];
}

export async function upload(
  directory: string,
  uploads: readonly Upload[],
  { run, env }: Pick<ReleaseDeps, 'run' | 'env'>,
): Promise<readonly string[]> {
  const { runUploads } = await import('../../release/upload.ts');
  await runUploads(directory, uploads, { run, env: definedEnv(env) });
  return uploads.map(({ target }) => `copied to ${target}`);
}
