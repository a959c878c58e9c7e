/** `release verify`: what hosts make of what is published, and what each of them gets. */
import type { Argv } from 'yargs';
import type { Site } from '../../release/verify.ts';
import { atLeastOne, gpgvIn, having, keyPaths, neededTexts, number, trustedKey, withScratch } from './command.ts';
import type { Answer, ArgsOf, ReleaseDeps, Take } from './command.ts';

export function verifyCommand(parser: Argv, deps: ReleaseDeps, take: Take): Argv {
  return parser.command('verify <place>', 'See what is published as a host does', verifyArgs, (args) => {
    const keys = args.key.map(trustedKey);
    const threshold = atLeastOne('--threshold', args.threshold) ?? 1;
    const keySet = atLeastOne('--key-set', args.keySet);
    const wish = { place: args.place, keys, threshold, keySet, insecureHttp: args.insecureHttp };
    const what = 'the directory that is published, which holds manifest.json, or a URL';
    const place = isUrl(args.place) ? [] : [{ from: 'PLACE', path: args.place, is: 'site', what } as const];
    take(having([...place, ...keyPaths('--key', keys)], () => verify(wish, deps)));
  });
}

function verifyArgs(args: Argv) {
  return args
    .positional('place', { type: 'string', demandOption: true, describe: 'A directory, or the URL of a manifest.json' })
    .option('key', { ...neededTexts, describe: 'FILE=FINGERPRINT of a trusted key; may be repeated' })
    .option('threshold', { ...number, default: 1, describe: 'How many distinct keys must have signed' })
    .option('key-set', { ...number, default: 1, describe: 'Which key set these keys are' })
    .option('insecure-http', { type: 'boolean', default: false, describe: 'Plain http, as hosts must be told too' });
}

interface Wish extends Pick<ArgsOf<typeof verifyArgs>, 'place' | 'insecureHttp'> {
  readonly keys: readonly ReturnType<typeof trustedKey>[];
  readonly threshold: number;
  readonly keySet: number | undefined;
}

async function verify({ place, insecureHttp, ...wish }: Wish, deps: ReleaseDeps): Promise<Answer> {
  const { verifyRelease } = await import('../../release/verify.ts');
  const { describeReport } = await import('../../release/words.ts');
  const { clientsOf, describeClients } = await import('./clients.ts');
  return withScratch(async (scratch) => {
    await using opened = await openSite(place, { scratch, insecureHttp }, deps);
    const options = { site: opened.site, ...wish, now: deps.now() };
    const report = await verifyRelease(options, gpgvIn(scratch, deps));
    const clients = clientsOf(report.manifest, deps.now());
    return { lines: [...describeReport(report), ...describeClients(clients)], value: { ...report, clients } };
  });
}

interface OpenSite extends AsyncDisposable {
  readonly site: Site;
}

async function openSite(
  place: string,
  how: { readonly scratch: string; readonly insecureHttp: boolean },
  deps: ReleaseDeps,
): Promise<OpenSite> {
  if (isUrl(place)) {
    const { openWebSite } = await import('./web-site.ts');
    return openWebSite(place, how, deps);
  }
  const { directorySite } = await import('../../release/verify.ts');
  return { site: directorySite(place), [Symbol.asyncDispose]: () => Promise.resolve() };
}

function isUrl(place: string): boolean {
  return /^[a-z]+:\/\//i.test(place);
}
