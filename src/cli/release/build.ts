/** `release build`: a directory becomes a reproducible archive. */
import type { Argv } from 'yargs';
import { LIMITS } from '../../limits.ts';
import type { BuildOptions } from '../../release/build.ts';
import type { TypedPath } from '../typed-path.ts';
import { dryRun, having, number, text, usage, versionOf, whole } from './command.ts';
import type { Answer, ArgsOf, ReleaseDeps, Take } from './command.ts';

export function buildCommand(parser: Argv, deps: ReleaseDeps, take: Take): Argv {
  return parser.command('build <directory>', 'Make a reproducible archive from a directory', buildArgs, (args) => {
    const options = buildOptions(args, deps.env);
    take(having(pathsOf(options), () => (args.dryRun ? survey(options) : build(options, deps))));
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
    .option('format', {
      ...text,
      choices: ['tar.zst', 'tar.gz', 'tar.xz', 'tar'] as const,
      default: 'tar.zst' as const,
    })
    .option('level', { ...number, describe: 'Of the compressor: 19 for zst, 9 for gz, 6 for xz unless given' })
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

function buildOptions(args: ArgsOf<typeof buildArgs>, env: ReleaseDeps['env']): BuildOptions {
  const { directory, out, name, arch, libc, format, binary, rollback, severity, notes } = args;
  if (notes !== undefined && notes.length > LIMITS.notesCharacters) {
    throw usage(`--notes takes ${LIMITS.notesCharacters} characters at most: hosts refuse more`);
  }
  return {
    ...{ directory, out, name, arch, libc, format, binary, rollback, severity, notes },
    version: versionOf('--version', args.version),
    level: whole('level', args.level),
    epoch: whole('epoch', args.epoch),
    mtime: whole('SOURCE_DATE_EPOCH', env['SOURCE_DATE_EPOCH']),
  };
}

function pathsOf({ directory, out }: BuildOptions): readonly TypedPath[] {
  return [
    { from: 'DIRECTORY', path: directory, is: 'directory', what: 'the directory that holds what is to be released' },
    {
      from: '--out',
      path: out,
      is: 'new directory',
      what: '--out the directory for archives; it is made if it is not there',
    },
  ];
}

async function build(options: BuildOptions, { files }: ReleaseDeps): Promise<Answer> {
  const { buildRelease } = await import('../../release/build.ts');
  const built = await buildRelease(options, files);
  const { description } = built;
  const content = `${description.size} bytes, unpacked ${description.unpacked_size} in ${description.entries} entries`;
  return {
    lines: [built.archive, `  ${content}`, `  sha256 ${description.sha256}`, built.descriptionFile],
    value: built,
  };
}

async function survey(options: BuildOptions): Promise<Answer> {
  const { surveyRelease } = await import('../../release/build.ts');
  const counts = await surveyRelease(options);
  return {
    lines: [`would pack ${counts.entries} entries, ${counts.unpackedSize} bytes`],
    value: { dryRun: true, ...counts },
  };
}
