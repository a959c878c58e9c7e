/** `release rotate`: the next key set. */
import type { Argv } from 'yargs';
import type { RotateOptions, Rotation } from '../../release/rotate.ts';
import { refuse } from '../../release/refuse.ts';
import type { KeySet } from '../../trust/key-set.ts';
import type { TrustedKey } from '../../settings.ts';
import type { TypedPath } from '../typed-path.ts';
import {
  atLeastOne,
  fingerprintOf,
  having,
  keyPaths,
  number,
  text,
  texts,
  timeOf,
  trustedKey,
  withSigning,
} from './command.ts';
import type { Announce, Answer, ArgsOf, ReleaseDeps, Take } from './command.ts';
import { describeTarget, optionPaths, REQUEST, targetOf, upload, writeRequest } from './manifest.ts';

export function rotateCommand(parser: Argv, deps: ReleaseDeps, take: Take): Argv {
  return parser.command('rotate <directory>', 'Publish the next key set', rotateArgs, (args) => {
    targetOf(args);
    const changes = { add: args.add.map(trustedKey), remove: args.remove.map(fingerprintOf) };
    take(having(pathsOf(args, changes.add), (announce) => rotation({ ...args, ...changes }, deps, announce)));
  });
}

function rotateArgs(args: Argv) {
  return args
    .options(REQUEST)
    .positional('directory', { type: 'string', demandOption: true, describe: 'The static directory' })
    .option('name', { ...text, describe: 'The product; as the key set before or the manifest has it unless given' })
    .option('add', { ...texts, describe: 'FILE=FINGERPRINT of a key that joins, or whose file is newer' })
    .option('remove', { ...texts, describe: 'Fingerprint of a key that leaves' })
    .option('threshold', { ...number, describe: 'How many keys must sign; as before unless given, 1 the first time' })
    .option('expires', { ...text, default: '2y', describe: 'When hosts stop believing these keys' });
}

/** With a name it may be the first that is published. */
function pathsOf(
  { directory, name, request }: Pick<Args, 'directory' | 'name' | 'request'>,
  add: readonly TrustedKey[],
): readonly TypedPath[] {
  const what = 'the directory that is published; for one that is not there yet, also --name';
  const is = name === undefined ? 'directory' : 'new directory';
  return [
    { from: 'DIRECTORY', path: directory, is, what },
    ...optionPaths({ request, key: [] }),
    ...keyPaths('--add', add),
  ];
}

type Args = Omit<ArgsOf<typeof rotateArgs>, 'add' | 'remove'> & Pick<RotateOptions, 'add' | 'remove'>;

async function rotation(args: Args, deps: ReleaseDeps, announce: Announce): Promise<Answer> {
  const { planRotation, requestRotation, rotate } = await import('../../release/rotate.ts');
  const { directory, localUser: signers, add, remove } = args;
  const target = targetOf(args);
  const expires = timeOf('--expires', args.expires, deps.now());
  const threshold = atLeastOne('--threshold', args.threshold);
  const options = {
    directory,
    name: args.name ?? (await productOf(directory)),
    signers,
    add,
    remove,
    threshold,
    expires,
  };
  return withSigning(deps, async (signing) => {
    const told = {
      ...signing,
      announce: ({ changes, warnings }: Rotation) => {
        announce([...changes, ...warnings]);
      },
    };
    if (args.dryRun) {
      const plan = await planRotation(options, signing, target.kind === 'request' ? 'others' : 'here');
      const lines = [...plan.changes, ...(await describeTarget(directory, target))].map((line) => `would ${line}`);
      return { lines: [...lines, ...plan.warnings], value: { dryRun: true, set: plan.set, warnings: plan.warnings } };
    }
    if (target.kind === 'request') {
      const { plan, request } = await requestRotation(options, told);
      const lines = await writeRequest(target.path, request, deps.files);
      return { lines, value: { set: plan.set, warnings: plan.warnings, request: target.path } };
    }
    const { set, before, warnings } = await rotate(options, told);
    const uploaded = await upload(directory, target.uploads, deps);
    const lines = [`published key set ${set.number} in ${directory}`, ...uploaded, renew(directory, set, before)];
    return { lines, value: { set, warnings, uploaded } };
  });
}

/** Hosts that took the key set wait for a manifest and archives that its keys have signed. */
function renew(directory: string, set: KeySet, before: KeySet | undefined): string {
  const stays = (before ?? set).keys.some(({ fingerprint }) => set.keys.some((key) => key.fingerprint === fingerprint));
  const known = stays ? '' : ' --key FILE=FINGERPRINT (of one that signed the last manifest)';
  return `next, renew the manifest with the keys of this set: node-updater release publish ${directory} -u KEY…${known}`;
}

async function productOf(directory: string): Promise<string> {
  const { readNewestKeySet } = await import('../../release/key-sets.ts');
  const known = (await readNewestKeySet(directory))?.set.name;
  if (known !== undefined) return known;
  const { readPublished } = await import('../../release/site.ts');
  const manifest = await readPublished(directory);
  if (manifest !== undefined) return manifest.name;
  throw refuse('RELEASE_INPUT', 'the key set has no name', 'Give --name, or publish a release first.');
}
