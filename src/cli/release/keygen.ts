/** `release keygen`: the keys of one signer. */
import { isAbsolute, resolve } from 'node:path';
import type { Argv } from 'yargs';
import type { KeygenOptions } from '../../release/keygen.ts';
import type { TypedPath } from '../typed-path.ts';
import { atLeastOne, dryRun, gpgOf, having, number, text, usage } from './command.ts';
import type { Answer, ArgsOf, ReleaseDeps, Take } from './command.ts';

export function keygenCommand(parser: Argv, deps: ReleaseDeps, take: Take): Argv {
  return parser.command('keygen', 'Make the keys of one signer', keygenArgs, (args) => {
    const options = keygenOptions(args);
    take(having(pathsOf(options), () => (args.dryRun ? plan(options) : make(options, deps))));
  });
}

function keygenArgs(args: Argv) {
  return args
    .option('user-id', { ...text, demandOption: true, describe: '"Name <mail@example.org>"' })
    .option('name', { ...text, demandOption: true, describe: 'First part of the names of the files' })
    .option('home', {
      ...text,
      demandOption: true,
      describe: 'GNUPGHOME of the primary key: offline, then in the safe',
    })
    .option('out', { ...text, demandOption: true, describe: 'Where the public key and the signing keys go' })
    .option('subkeys', { ...number, default: 1, describe: 'How many signing keys: one for each machine that signs' })
    .option('expires', { ...text, default: '2y', describe: 'How long signing keys are good for, as gpg takes it' })
    .option('protection', { type: 'boolean', default: true, describe: '--no-protection: without a passphrase' })
    .option('dry-run', dryRun);
}

function keygenOptions(args: ArgsOf<typeof keygenArgs>): KeygenOptions {
  const { name, home, out, userId, expires } = args;
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name))
    throw usage(`--name ${JSON.stringify(name)} is no plain file name`);
  if (!/^\d+[dwmy]?$/.test(expires)) throw usage('--expires takes a length of time as gpg does: 2y, 18m, 90d');
  const subkeys = atLeastOne('--subkeys', args.subkeys) ?? 1;
  if (subkeys > MOST_SUBKEYS) throw usage(`--subkeys takes ${MOST_SUBKEYS} at most`);
  // gpg-agent knows its sockets by an absolute path.
  const absolute = isAbsolute(home) ? home : resolve(home);
  return { name, out, userId, expires, subkeys, home: absolute, protection: args.protection ? 'asked' : 'none' };
}

function pathsOf({ home, out }: KeygenOptions): readonly TypedPath[] {
  const made = 'which is made if it is not there';
  return [
    { from: '--home', path: home, is: 'new directory', what: `--home a directory for the primary key alone, ${made}` },
    { from: '--out', path: out, is: 'new directory', what: `--out a directory for the other keys, ${made}` },
  ];
}

const MOST_SUBKEYS = 8;

async function plan(options: KeygenOptions): Promise<Answer> {
  const { planKeygen } = await import('../../release/keygen.ts');
  const files = await planKeygen(options);
  const lines = [
    `would make a primary key for ${options.userId} in ${options.home}`,
    `would make ${options.subkeys} signing keys that expire in ${options.expires}`,
    `would write ${files.publicKey} and ${files.signingKeys}`,
  ];
  return { lines, value: { dryRun: true, ...files } };
}

async function make(options: KeygenOptions, deps: ReleaseDeps): Promise<Answer> {
  const { describeKeygen, keygen } = await import('../../release/keygen.ts');
  const made = await keygen(options, gpgOf(deps), deps.files);
  return { lines: describeKeygen(made, options.home), value: { ...made, home: options.home } };
}
