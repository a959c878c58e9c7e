/** The command line for people. Loaded only when one of them types something that is not `status`. */
import yargs, { type Argv } from 'yargs';
import { didYouMean } from '../config/suggest.ts';
import { UpdaterError } from '../errors.ts';
import { parseVersion, type Version } from '../release.ts';
import { backupCommand } from './backup-args.ts';
import type { Command, Invocation, Mode } from './command.ts';
import { keysCommand } from './keys-args.ts';
import { formatOf } from './quick.ts';

const FORCES = ['quarantine', 'rollout', 'downgrade', 'unhealthy', 'epoch'] as const;
const ROLLBACK_FORCES = ['epoch', 'damaged'] as const;
const COMMANDS = [
  'status',
  'check',
  'why',
  'upgrade',
  'rollback',
  'history',
  'versions',
  'prune',
  'drill',
  'backup',
  'keys',
  'config',
  'release',
];
const COMMON = ['json', 'help', 'version'];
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  check: ['exit-code'],
  upgrade: ['to', 'force', 'dry-run', 'wait', 'no-wait'],
  rollback: ['to', 'force', 'restore-data', 'dry-run', 'wait', 'no-wait'],
  versions: ['verify', 'restage', 'dry-run', 'wait', 'no-wait'],
  prune: ['keep', 'dry-run', 'wait', 'no-wait'],
  drill: ['yes', 'dry-run', 'wait', 'no-wait'],
  history: ['limit'],
  backup: ['dry-run', 'wait', 'no-wait'],
  keys: ['fingerprint', 'dry-run'],
  config: ['check'],
};

/** Throws USAGE_INVALID with a hint. `--help` and `--version` are printed here. */
export async function parseArgs(argv: readonly string[], version: string): Promise<Invocation> {
  let command: Command = { name: 'answered' };
  const parser = commands(yargs([...argv]), (parsed) => {
    command = parsed;
  })
    .scriptName('node-updater')
    .usage('$0 COMMAND [NODE] [OPTION]…\n\nNODE may be left out when there is one.')
    .version(version)
    .option('json', { type: 'boolean', describe: 'Answer in JSON', global: true })
    .demandCommand(1, 'a command is missing')
    .strict()
    // What was not understood is read from its words below.
    .locale('en')
    .parserConfiguration({ 'greedy-arrays': false })
    .exitProcess(false)
    .fail((message: string | undefined, error: unknown) => {
      if (error instanceof UpdaterError) throw error;
      throw usage(message ?? String(error), argv);
    });
  await parser.parseAsync();
  return { command, format: formatOf(argv) };
}

type Take = (command: Command) => void;

function commands(parser: Argv, take: Take): Argv {
  return keysCommand(backupCommand(changing(looking(parser, take), take), modeOf, take), take)
    .command(
      'config [node]',
      'The settings that hold, and who said so',
      (args) => withNode(args).option('check', { type: 'boolean', default: false, describe: 'Say all that is wrong' }),
      (args) => {
        take({ name: 'config', ...node(args), view: args.check ? 'check' : 'show' });
      },
    )
    .command('release', 'For publishers: keys, build, sign, publish, roll out, halt, rotate, verify');
}

function looking(parser: Argv, take: Take): Argv {
  return parser
    .command('status [node]', 'What runs, what is on offer, what comes next', withNode, (args) => {
      take({ name: 'status', ...node(args) });
    })
    .command('why [node]', 'Every gate that passed, the one that blocks, and when it opens', withNode, (args) => {
      take({ name: 'why', ...node(args) });
    })
    .command(
      'history [node]',
      'What was done, newest first',
      (args) => withNode(args).option('limit', { type: 'number', default: 20, requiresArg: true, describe: 'At most' }),
      (args) => {
        take({ name: 'history', ...node(args), limit: limit(args.limit) });
      },
    )
    .command('versions [node]', 'What is staged on this host', verifying, (args) => {
      const { restage } = args;
      if (restage === undefined)
        take({ name: 'versions', ...node(args), view: args.verify === true ? 'verify' : 'list' });
      else take({ name: 'restage', ...node(args), version: versionOf('--restage', restage), mode: modeOf(args) });
    });
}

function verifying(args: Argv) {
  return asking(args)
    .option('verify', { type: 'boolean', describe: 'Read every file: is it what was staged?' })
    .option('restage', { type: 'string', requiresArg: true, describe: 'Bring a clean copy of this version' })
    .conflicts('verify', 'restage');
}

function changing(parser: Argv, take: Take): Argv {
  return parser
    .command(
      'check [node]',
      'Look for a release now',
      (args) =>
        withNode(args).option('exit-code', { type: 'boolean', default: false, describe: 'Exit 100 if one is offered' }),
      (args) => {
        take({ name: 'check', ...node(args), offered: args.exitCode ? 'exit-100' : 'exit-0' });
      },
    )
    .command(
      'upgrade [node]',
      'Take the release that is offered',
      (args) => acting(args).option('force', { type: 'array', string: true, choices: FORCES, describe: 'Overrule' }),
      (args) => {
        const force = FORCES.filter((one) => args.force?.includes(one));
        take({ name: 'upgrade', ...node(args), ...target(args.to), force, mode: modeOf(args) });
      },
    )
    .command('rollback [node]', 'Go back to the version before', rollingBack, (args) => {
      const force = ROLLBACK_FORCES.filter((one) => args.force?.includes(one));
      const data = args.restoreData ? { data: 'restore' as const } : {};
      take({ name: 'rollback', ...node(args), ...target(args.to), ...data, force, mode: modeOf(args) });
    })
    .command(
      'prune [node]',
      'Remove old versions',
      (args) =>
        asking(args).option('keep', { type: 'number', requiresArg: true, describe: 'So many stay, at least 2' }),
      (args) => {
        take({ name: 'prune', ...node(args), ...keep(args.keep), mode: modeOf(args) });
      },
    )
    .command(
      'drill [node]',
      'Prove that a bad version is put back',
      (args) => asking(args).option('yes', { type: 'boolean', default: false, describe: 'The node may be restarted' }),
      (args) => {
        take({ name: 'drill', ...node(args), consent: args.yes ? 'given' : 'asked', mode: modeOf(args) });
      },
    );
}

function withNode(args: Argv) {
  return args.positional('node', { type: 'string', describe: 'The node' });
}

function acting(args: Argv) {
  return asking(args).option('to', { type: 'string', requiresArg: true, describe: 'This version' });
}

function rollingBack(args: Argv) {
  return acting(args)
    .option('force', { type: 'array', string: true, choices: ROLLBACK_FORCES, describe: 'Overrule' })
    .option('restore-data', { type: 'boolean', default: false, describe: 'Put its backup of the data back too' });
}

function asking(args: Argv) {
  return withNode(args)
    .option('dry-run', { type: 'boolean', default: false, describe: 'Only say what would be done' })
    .option('wait', { type: 'boolean', default: true, describe: 'Follow until the end; --no-wait only asks' });
}

function node(args: Readonly<Record<string, unknown>>): { node?: string } {
  return typeof args['node'] === 'string' && args['node'] !== '' ? { node: args['node'] } : {};
}

function target(to: unknown): { to?: Version } {
  return to === undefined ? {} : { to: versionOf('--to', to) };
}

function versionOf(option: string, value: unknown): Version {
  const version = typeof value === 'string' ? parseVersion(value) : undefined;
  if (version !== undefined) return version;
  throw new UpdaterError('USAGE_INVALID', `${option} ${JSON.stringify(value)} is no version`, {
    remedy: 'See what is there: node-updater versions, and what is offered: node-updater why',
  });
}

function modeOf(args: Readonly<Record<string, unknown>>): Mode {
  if (args['dryRun'] === true) return 'dry-run';
  return args['wait'] === false ? 'no-wait' : 'follow';
}

function keep(value: number | undefined): { keep?: number } {
  if (value === undefined) return {};
  if (Number.isSafeInteger(value) && value >= 2) return { keep: value };
  throw new UpdaterError('USAGE_INVALID', '--keep takes a number of 2 or more', {
    remedy: 'What runs and what could be gone back to always stay. For example: --keep 2',
  });
}

function limit(value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UpdaterError('USAGE_INVALID', '--limit takes a number above 0', { remedy: 'For example: --limit 5' });
}

/** yargs names what it does not know; what was meant is ours to guess. */
function usage(message: string, argv: readonly string[]): UpdaterError {
  const [command = ''] = argv;
  const known = COMMANDS.includes(command);
  if (command !== '' && !known && !command.startsWith('-')) {
    return new UpdaterError('USAGE_INVALID', `there is no command ${command}.${didYouMean(command, COMMANDS)}`, {
      remedy: 'See: node-updater --help',
    });
  }
  const word = /^Unknown (?:arguments?|commands?): ([^,]+)/.exec(message)?.[1]?.trim() ?? '';
  const candidates = known ? [...(OPTIONS[command] ?? []), ...COMMON] : COMMANDS;
  const hint = word === '' ? '' : didYouMean(word, candidates);
  const said = message.replace(/^./, (letter) => letter.toLowerCase()).replace(/\.?\s*$/, '');
  return new UpdaterError('USAGE_INVALID', `${said.replaceAll(/\s*\n\s*/g, ' ')}.${hint}`, {
    remedy: `See: node-updater ${known ? `${command} ` : ''}--help`,
  });
}
