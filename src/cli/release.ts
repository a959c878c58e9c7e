/** `node-updater release …`, the publisher's commands. It reads its own arguments, so that hosts never load it. */
import yargs, { type Argv } from 'yargs';
import { EXIT, UpdaterError, type ExitCode } from '../errors.ts';
import { buildCommand } from './release/build.ts';
import { usage } from './release/command.ts';
import type { Command, ReleaseDeps, Take } from './release/command.ts';
import { keygenCommand } from './release/keygen.ts';
import { publishCommand } from './release/publish.ts';
import { rolloutCommands } from './release/rollout.ts';
import { rotateCommand } from './release/rotate.ts';
import { signCommand } from './release/sign.ts';
import { verifyCommand } from './release/verify.ts';

export type { ReleaseDeps } from './release/command.ts';

/** `argv` begins after `release`. Throws USAGE_INVALID, and what the commands throw. */
export async function runRelease(argv: readonly string[], deps: ReleaseDeps): Promise<ExitCode> {
  let typed: Command | undefined;
  const parser = releaseCommands(yargs([...argv]), deps, (command) => {
    typed = command;
  })
    .scriptName('node-updater release')
    .version(false)
    .option('json', { type: 'boolean', default: false, describe: 'Answer in JSON', global: true })
    .demandCommand(1, 'a command is missing')
    .strict()
    .check((args) => givenOnce(args))
    .parserConfiguration({ 'greedy-arrays': false })
    .exitProcess(false)
    .fail((message: string | undefined, error: unknown) => {
      throw error instanceof UpdaterError ? error : usage(message ?? String(error));
    });
  const { json } = await parser.parseAsync();
  if (typed === undefined) return EXIT.done; // --help
  const answer = await typed((lines) => {
    if (!json) deps.output.print(lines);
  });
  if (json) deps.output.json({ schema: 1, ...answer.value });
  else deps.output.print(answer.lines);
  return answer.exit ?? EXIT.done;
}

/** What may be given more than once; anything else that is, came as a list, too. */
const LISTS: ReadonlySet<string> = new Set(
  ['_', 'file', 'release', 'localUser', 'u', 'key', 'force', 'mirror', 'withdraw', 'add', 'remove'].flatMap((name) => [
    name,
    name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`),
  ]),
);

function givenOnce(args: Readonly<Record<string, unknown>>): true {
  const twice = Object.keys(args).find((name) => Array.isArray(args[name]) && !LISTS.has(name));
  if (twice === undefined) return true;
  throw usage(`--${twice} is given more than once`);
}

/** In the order of a publisher's day; `take` gets the one that was typed, which has not begun. */
function releaseCommands(parser: Argv, deps: ReleaseDeps, take: Take): Argv {
  const commands = [
    keygenCommand,
    buildCommand,
    signCommand,
    publishCommand,
    rolloutCommands,
    rotateCommand,
    verifyCommand,
  ];
  return commands.reduce((made, add) => add(made, deps, take), parser);
}
