/** `release sign`: archives, and what another machine asks to be signed. */
import { readFile } from 'node:fs/promises';
import type { Argv } from 'yargs';
import { diskError } from '../../errors.ts';
import type { Countersigned } from '../../release/countersign.ts';
import { RELEASE_FORCES } from '../../release/strand.ts';
import type { TypedPath } from '../typed-path.ts';
import { dryRun, gpgOf, having, localUser, pathIf, signatures, text, texts, usage, withSigning } from './command.ts';
import { forcesOf } from './manifest.ts';
import type { Announce, Answer, ArgsOf, ReleaseDeps, Take } from './command.ts';

export function signCommand(parser: Argv, deps: ReleaseDeps, take: Take): Argv {
  return parser.command('sign <file..>', 'Sign archives, or signing requests, with your gpg', signArgs, (args) => {
    const { file: files, merge } = args;
    if (merge) {
      if (files.length < 2) throw usage('--merge takes the request and at least one signed copy');
      take(having(requestPaths(files), () => mergeRequests(files, args.dryRun ? 'dry-run' : 'do', deps)));
      return;
    }
    const archives = files.filter(isArchive);
    if (archives.length === files.length) {
      take(
        having(archivePaths(archives), () =>
          signArchives(archives, args.localUser, args.dryRun ? 'dry-run' : 'do', deps),
        ),
      );
      return;
    }
    if (archives.length > 0) throw usage('archives and signing requests are signed one kind at a time');
    if (args.localUser.length === 0) throw usage('a signing request needs --local-user');
    const paths = [...requestPaths(files), ...pathIf(args.against, AGAINST)];
    take(having(paths, (announce) => signRequests(files, args, deps, announce)));
  });
}

function signArgs(args: Argv) {
  return args
    .positional('file', { type: 'string', array: true, demandOption: true, describe: 'Archives, or request files' })
    .option('local-user', { ...localUser, describe: 'As gpg takes it; for archives its default key unless given' })
    .option('merge', { type: 'boolean', default: false, describe: 'Collect the signatures of all copies in the first' })
    .option('against', { ...text, describe: 'The manifest.json (or keys/N.json) that you see published, to compare' })
    .option('force', { ...texts, choices: RELEASE_FORCES, describe: 'Overrule a refusal' })
    .option('dry-run', dryRun);
}

function requestPaths(files: readonly string[]): readonly TypedPath[] {
  const what = 'a request as --request has written it, or archives (.tar.zst, .tar.gz, .tar.xz, .tar)';
  return files.map((path) => ({ from: 'FILE', path, is: 'file', what }));
}

function archivePaths(files: readonly string[]): readonly TypedPath[] {
  return files.map((path) => ({ from: 'FILE', path, is: 'file', what: 'an archive as `release build` has made it' }));
}

const AGAINST = {
  from: '--against',
  is: 'file',
  what: '--against the manifest.json (or keys/N.json) that is published',
} as const;

/** A signing request is JSON under whatever name; archives have theirs. */
function isArchive(file: string): boolean {
  return /\.(tar|tar\.\w+|tgz)$/.test(file);
}

type Doing = 'do' | 'dry-run';

async function signArchives(
  archives: readonly string[],
  signers: readonly string[],
  doing: Doing,
  deps: ReleaseDeps,
): Promise<Answer> {
  if (doing === 'dry-run') {
    const by = signers.length === 0 ? 'the default key of gpg' : signers.join(', ');
    return { lines: archives.map((each) => `would sign ${each} by ${by}`), value: { dryRun: true, archives, signers } };
  }
  const { signRelease } = await import('../../release/sign.ts');
  const signed = [];
  for (const archive of archives) signed.push(await signRelease({ archive, signers }, gpgOf(deps), deps.files));
  const lines = signed.map(({ signature, keys }) => `${signature}\n  by ${keys.join(', ')}`.split('\n')).flat();
  return { lines, value: { signed } };
}

async function signRequests(
  paths: readonly string[],
  args: ArgsOf<typeof signArgs>,
  deps: ReleaseDeps,
  announce: Announce,
): Promise<Answer> {
  const { countersign, planCountersign } = await import('../../release/countersign.ts');
  const { localUser: signers } = args;
  const force = forcesOf(args.force);
  const published = args.against === undefined ? undefined : await readPublished(args.against);
  return withSigning(deps, async (signing) => {
    const lines: string[] = [];
    const requests: object[] = [];
    for (const path of paths) {
      const options = { path, signers, force, published };
      const told = {
        ...signing,
        announce: (plan: Countersigned) => {
          announce(describe(path, plan));
        },
      };
      const plan = args.dryRun ? await planCountersign(options, signing) : await countersign(options, told);
      if (args.dryRun) lines.push(...describe(path, plan), `would sign ${path} by ${signers.join(', ')}`);
      else lines.push(`${path} has ${signatures(plan.request.signatures.length)}`);
      const { says, changes, replaces, request } = plan;
      requests.push({ path, kind: request.kind, says, changes, replaces, signatures: request.signatures.length });
    }
    return { lines, value: { ...(args.dryRun ? { dryRun: true } : {}), requests } };
  });
}

const REPLACES = {
  nothing: 'It is the first publication.',
  known: 'One of your keys signed what it replaces.',
  unknown: 'None of your keys signed what it replaces: compare with what you see published (--against FILE).',
} as const;

function describe(path: string, { request, says, changes, replaces }: Countersigned): readonly string[] {
  return [
    `${path} asks for a signature on ${request.kind === 'manifest' ? 'a manifest' : 'a key set'}, which says:`,
    ...says.map((line) => `  ${line}`),
    'It would:',
    ...changes.map((line) => `  ${line}`),
    REPLACES[replaces],
  ];
}

async function mergeRequests(paths: readonly string[], doing: Doing, { files }: ReleaseDeps): Promise<Answer> {
  const [into, ...others] = paths;
  if (into === undefined) throw usage('--merge takes the request and at least one signed copy');
  const { mergeInto, planMerge } = await import('../../release/countersign.ts');
  const merged = doing === 'do' ? await mergeInto(into, others, files) : await planMerge(into, others);
  const count = merged.signatures.length;
  const line = doing === 'do' ? `${into} has ${signatures(count)}` : `would put ${signatures(count)} into ${into}`;
  return { lines: [line], value: { ...(doing === 'do' ? {} : { dryRun: true }), request: into, signatures: count } };
}

async function readPublished(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw diskError(error, 'read', path);
  }
}
