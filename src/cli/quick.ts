/**
 * What must start fast, or runs in a room, is told from the shape of the arguments alone: yargs costs more time than all
 * that `status` does. Whatever does not fit exactly is left to yargs, which knows what to say about it.
 */
import { UpdaterError } from '../errors.ts';
import { parseNodeName } from '../release.ts';
import type { Invocation } from './command.ts';

/** As yargs reads a switch. */
const JSON_WORDS: readonly string[] = ['--json', '--json=true'];

const ROOMS = ['transact', 'fetch', 'probe', 'backup-room'] as const;

export function quickInvocation(argv: readonly string[]): Invocation | undefined {
  const [name, ...rest] = argv;
  if (name === 'run' && rest.length === 0) return { command: { name }, format: 'text' };
  if (name === 'release') return { command: { name }, format: formatOf(argv) };
  const room = ROOMS.find((candidate) => candidate === name);
  if (room !== undefined) return { command: { name: room, node: nodeOf(room, rest) }, format: 'text' };
  if (name !== 'status') return undefined;
  const words = rest.filter((word) => !JSON_WORDS.includes(word));
  const [node] = words;
  if (words.length > 1 || node?.startsWith('-') === true) return undefined;
  return { command: { name, ...(node === undefined ? {} : { node }) }, format: formatOf(argv) };
}

/** Also for what could not be parsed: whoever asked for JSON wants the error in JSON. */
export function formatOf(argv: readonly string[]): 'text' | 'json' {
  return argv.some((word) => JSON_WORDS.includes(word)) ? 'json' : 'text';
}

function nodeOf(room: string, rest: readonly string[]) {
  const node = rest.length === 1 ? parseNodeName(rest[0] ?? '') : undefined;
  if (node !== undefined) return node;
  throw new UpdaterError('USAGE_INVALID', `${room} takes the name of one node`, {
    remedy: `It is started by a unit, not by hand. To see what goes on, type: node-updater status`,
  });
}
