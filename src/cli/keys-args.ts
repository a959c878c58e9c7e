/** `keys ACTION …`: `add FILE --fingerprint F [NODE]`, `remove FINGERPRINT [NODE]`, `list [NODE]`, `verify [NODE]`. */
import type { Argv } from 'yargs';
import { didYouMean } from '../config/suggest.ts';
import { UpdaterError } from '../errors.ts';
import { parseFingerprint, type Fingerprint } from '../release.ts';
import type { CommandOf, KeysAction } from './command.ts';

const KEYS_ACTIONS = ['list', 'add', 'remove', 'verify'] as const;

type KeysCommand = CommandOf<'keys'>;

export function keysCommand(parser: Argv, take: (command: KeysCommand) => void): Argv {
  return parser.command(
    'keys <action> [words..]',
    'Whose releases are trusted: list, add FILE, remove FINGERPRINT, verify',
    (args) =>
      args
        .positional('action', { type: 'string', choices: KEYS_ACTIONS, describe: 'What to do' })
        .positional('words', { type: 'string', array: true, describe: 'A file or a fingerprint, a node' })
        // A fingerprint of digits alone would be read as a number.
        .string(['fingerprint'])
        .option('fingerprint', {
          requiresArg: true,
          describe: 'The full fingerprint, from another place than the file',
        })
        .option('dry-run', { type: 'boolean', default: false, describe: 'Only say what would be done' }),
    (args: Readonly<Record<string, unknown>>) => {
      take({ name: 'keys', ...words(args), mode: args['dryRun'] === true ? 'dry-run' : 'follow' });
    },
  );
}

function words(args: Readonly<Record<string, unknown>>): KeysAction {
  const named = String(args['action']);
  const action = KEYS_ACTIONS.find((one) => one === named);
  if (action === undefined) throw usage(`keys has no ${named}.${didYouMean(named, KEYS_ACTIONS)}`);
  const given = (Array.isArray(args['words']) ? args['words'] : []).map(String);
  const takesOne = action === 'add' || action === 'remove';
  const [what, node, ...more] = takesOne ? given : [undefined, ...given];
  if (more.length > 0) throw usage(`keys ${action} takes one node at most.`);
  const said = args['fingerprint'];
  if (action !== 'add' && said !== undefined) throw usage(`keys ${action} takes no --fingerprint.`);
  const onNode = node === undefined ? {} : { node };
  if (action === 'list' || action === 'verify') return { action, ...onNode };
  if (action === 'remove') return { action, fingerprint: fingerprint(what), ...onNode };
  if (what === undefined || what === '') throw usage('keys add takes the file of a public key.');
  if (said === undefined) throw usage('keys add takes --fingerprint: a file cannot vouch for itself.');
  return { action, file: what, fingerprint: fingerprint(said), ...onNode };
}

function fingerprint(text: unknown): Fingerprint {
  const parsed = typeof text === 'string' ? parseFingerprint(text) : undefined;
  if (parsed !== undefined) return parsed;
  throw usage(`${JSON.stringify(text ?? '')} is no full fingerprint of 40 or 64 hexadecimal digits.`);
}

function usage(message: string): UpdaterError {
  return new UpdaterError('USAGE_INVALID', message, {
    remedy:
      'For example: node-updater keys add publisher.asc --fingerprint "0000 1111 … 9999", or: node-updater keys list',
  });
}
