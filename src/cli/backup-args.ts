/** `backup ACTION [ID] [NODE]`: an ID begins with a date, so either may be left out. */
import type { Argv } from 'yargs';
import { didYouMean } from '../config/suggest.ts';
import { UpdaterError } from '../errors.ts';
import type { CommandOf, Mode } from './command.ts';

const BACKUP_ACTIONS = ['create', 'list', 'verify', 'restore'] as const;

const ID = /^\d{8}T\d{9}Z-/;

export function backupCommand(
  parser: Argv,
  modeOf: (args: Readonly<Record<string, unknown>>) => Mode,
  take: (command: CommandOf<'backup'>) => void,
): Argv {
  return parser.command(
    'backup <action> [words..]',
    'The data of the node: create, list, verify [ID], restore [ID]',
    (args) =>
      args
        .positional('action', { type: 'string', choices: BACKUP_ACTIONS, describe: 'What to do' })
        .positional('words', { type: 'string', array: true, describe: 'A backup, a node' })
        .option('dry-run', { type: 'boolean', default: false, describe: 'Only say what would be done' })
        .option('wait', { type: 'boolean', default: true, describe: 'Follow until the end; --no-wait only asks' }),
    (args: Readonly<Record<string, unknown>>) => {
      take({ name: 'backup', ...words(args), mode: modeOf(args) });
    },
  );
}

function words(args: Readonly<Record<string, unknown>>): Omit<CommandOf<'backup'>, 'name' | 'mode'> {
  const named = String(args['action']);
  const action = BACKUP_ACTIONS.find((one) => one === named);
  if (action === undefined) throw usage(`backup has no ${named}.${didYouMean(named, BACKUP_ACTIONS)}`);
  const given = (Array.isArray(args['words']) ? args['words'] : []).map(String);
  const [id, ...moreIds] = given.filter((word) => ID.test(word));
  const [node, ...moreNodes] = given.filter((word) => !ID.test(word));
  if (moreIds.length + moreNodes.length > 0) throw usage('backup takes one backup and one node at most.');
  if (id !== undefined && (action === 'create' || action === 'list')) throw usage(`backup ${action} takes no backup.`);
  return { action, ...(id === undefined ? {} : { id }), ...(node === undefined ? {} : { node }) };
}

function usage(message: string): UpdaterError {
  return new UpdaterError('USAGE_INVALID', message, { remedy: 'For example: node-updater backup restore --dry-run' });
}
