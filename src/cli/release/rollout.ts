/** `release rollout`, `release halt` and `release withdraw`: what is on offer to how many, without a new release. */
import { readdir } from 'node:fs/promises';
import type { Argv } from 'yargs';
import { diskError, errnoOf } from '../../errors.ts';
import type { Manifest } from '../../manifest.ts';
import type { Version } from '../../release.ts';
import type { RolloutWish } from '../../release/rollout.ts';
import { refuse } from '../../release/refuse.ts';
import { having, text, usage, versionOf } from './command.ts';
import type { Announce, Answer, ArgsOf, ReleaseDeps, Take } from './command.ts';
import { manifestOptions, publishManifest, sitePaths, targetOf, MANIFEST } from './manifest.ts';
import { rolloutWish, ROLLOUT } from './rollout-args.ts';

export function rolloutCommands(parser: Argv, deps: ReleaseDeps, take: Take): Argv {
  return parser
    .command('rollout <directory>', 'Offer the suggested release to more hosts', rolloutArgs, (args) => {
      const wish = rolloutWish(args);
      if (wish === undefined) throw usage('how far? Give --percent, --cursor or --phases');
      targetOf(args);
      take(having(sitePaths(args.directory, args), (announce) => rollout(args, wish, deps, announce)));
    })
    .command('halt <directory>', 'Offer the suggested release to no more hosts', haltArgs, (args) => {
      targetOf(args);
      take(having(sitePaths(args.directory, args), (announce) => halt(args, deps, announce)));
    })
    .command('withdraw <directory> <release>', 'Let no host take a version any more', withdrawArgs, (args) => {
      const version = versionOf('release', args.release);
      targetOf(args);
      take(having(sitePaths(args.directory, args), (announce) => withdraw(args, version, deps, announce)));
    });
}

const directory = { type: 'string', demandOption: true, describe: 'The static directory' } as const;

function rolloutArgs(args: Argv) {
  return args.options({ ...MANIFEST, ...ROLLOUT }).positional('directory', directory);
}

function haltArgs(args: Argv) {
  return args.options(MANIFEST).positional('directory', directory);
}

function withdrawArgs(args: Argv) {
  return args
    .options(MANIFEST)
    .positional('directory', directory)
    .positional('release', { type: 'string', demandOption: true, describe: 'The version' })
    .option('reason', { ...text, demandOption: true, describe: 'Why; stands in the notes of the release' })
    .option('suggest', { ...text, describe: 'What is suggested instead, if this one was' })
    .option('minimum', { ...text, describe: 'The oldest version that hosts may run' });
}

type RolloutArgs = ArgsOf<typeof rolloutArgs>;
type WithdrawArgs = ArgsOf<typeof withdrawArgs>;

async function rollout(args: RolloutArgs, wish: RolloutWish, deps: ReleaseDeps, announce: Announce): Promise<Answer> {
  const { nextStep } = await import('../../release/rollout.ts');
  const previous = await published(args.directory);
  const step = nextStep(previous, previous.suggested, wish, deps.now());
  if (step.rollout === undefined) return { lines: [`nothing to do: ${step.why}`], value: { nothing: step.why } };
  const options = { ...manifestOptions(args.directory, args, deps.now()), rollout: step.rollout };
  return publishManifest(options, { target: targetOf(args), dryRun: args.dryRun }, deps, announce);
}

/**
 * A host below the minimum takes the suggested version whatever the rollout says, if that is the minimum or no other is there to
 * be taken first: then a halt would halt nothing for it.
 */
async function halt(args: ArgsOf<typeof haltArgs>, deps: ReleaseDeps, announce: Announce): Promise<Answer> {
  const { halted } = await import('../../release/rollout.ts');
  const previous = await published(args.directory);
  const { minimum, releases, suggested } = previous;
  if (minimum !== undefined && (minimum === suggested || !releases.some(({ version }) => version === minimum))) {
    const what = minimum === suggested ? 'is also the minimum' : `is on offer, and the minimum ${minimum} is not`;
    throw refuse(
      'RELEASE_REFUSED',
      `${suggested} ${what}: hosts below it take ${suggested} in spite of a halt`,
      `Withdraw it: node-updater release withdraw ${args.directory} ${suggested} --reason TEXT --minimum OLDER`,
    );
  }
  const options = { ...manifestOptions(args.directory, args, deps.now()), rollout: halted(previous) };
  return publishManifest(options, { target: targetOf(args), dryRun: args.dryRun }, deps, announce);
}

async function withdraw(args: WithdrawArgs, version: Version, deps: ReleaseDeps, announce: Announce): Promise<Answer> {
  const { reason } = args;
  if (reason.length > 500 || /\p{Cc}/u.test(reason)) throw usage('--reason takes one line of at most 500 characters');
  await refuseUnknown(args.directory, version);
  const options = {
    ...manifestOptions(args.directory, args, deps.now()),
    ...{ withdrawn: [version], reason },
    suggested: args.suggest === undefined ? undefined : versionOf('--suggest', args.suggest),
    minimum: args.minimum === undefined ? undefined : versionOf('--minimum', args.minimum),
  };
  return publishManifest(options, { target: targetOf(args), dryRun: args.dryRun }, deps, announce);
}

/** A misspelt version would be withdrawn, and the bad one stay. */
async function refuseUnknown(site: string, version: Version): Promise<void> {
  const { releases } = await published(site);
  const there = await readdir(`${site}/releases`).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw diskError(error, 'read', `${site}/releases`);
  });
  const known = new Set([...releases.map((release): string => release.version), ...there]);
  if (known.has(version)) return;
  const message = `${version} was never published here`;
  throw refuse('RELEASE_INPUT', message, `Give one of: ${[...known].join(', ')}`);
}

/** Read to know what is suggested; whether it may be believed is found out when the next one is made. */
async function published(site: string): Promise<Manifest> {
  const { readPublished } = await import('../../release/site.ts');
  const manifest = await readPublished(site);
  if (manifest !== undefined) return manifest;
  throw refuse(
    'RELEASE_INPUT',
    `nothing is published in ${site}`,
    'Publish a release first: node-updater release publish',
  );
}
