/** What is published at a URL, fetched by the code of the fetch room: the same redirects, limits and refusals. */
import { UpdaterError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { CODES } from '../../errors.ts';
import { GLOBAL_DEFAULTS, globalSettings } from '../../config/global.ts';
import { openClient } from '../../fetch/client.ts';
import { fetchFile } from '../../fetch/file.ts';
import type { FetchFileReport } from '../../orders.ts';
import type { Found, Site } from '../../release/verify.ts';
import type { ReleaseDeps } from './command.ts';

/** `url` of the manifest, or of the directory above it. Files are fetched into `scratch`, each once. */
export async function openWebSite(
  url: string,
  { scratch, insecureHttp }: { readonly scratch: string; readonly insecureHttp: boolean },
  { web, files, env }: ReleaseDeps,
): Promise<{ readonly site: Site } & AsyncDisposable> {
  const settings = globalSettings(GLOBAL_DEFAULTS.raw).fetch;
  const { clock, version } = web;
  const signal = web.signal();
  const deps = { clock, files, version, signal, log: await web.log(), random: Math.random, environment: env };
  const client = openClient(settings, deps);
  const base = /\.json$/.test(url) ? url : `${url.replace(/\/*$/, '')}/manifest.json`;
  const exhausted = new Set<string>();
  let fetched = 0;
  const file: Site['file'] = async (urls, limit) => {
    fetched += 1;
    const absolute = urls.map((each) => new URL(each, base).href);
    const wanted = { name: `file-${fetched}`, urls: absolute, limit, absence: 'expected' } as const;
    const task = { file: wanted, directory: scratch, settings };
    const report = await fetchFile({ ...task, insecureHttp, client, exhausted, deps });
    return pathOf(report, `${scratch}/${task.file.name}`);
  };
  return { site: { name: base, file }, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

function pathOf(report: FetchFileReport, path: string): Found {
  if (report.outcome === 'fetched') return { path };
  if (report.outcome !== 'failed') return 'missing';
  throw new UpdaterError(isCode(report.code) ? report.code : 'INTERNAL', report.message, {
    remedy: 'Hosts meet the same: look at the server, then verify again.',
  });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(CODES, code);
}
