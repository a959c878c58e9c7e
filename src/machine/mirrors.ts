/** The manifest that counts, of what all mirrors of the source hold: each is asked, and none can keep the others back. */
import { readFile } from 'node:fs/promises';
import { readSpool } from '../artifact/spool.ts';
import { UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import { LIMITS } from '../limits.ts';
import type { FetchFile, FetchFileReport } from '../orders.ts';
import { fetchFailure } from '../source/fetch-failure.ts';
import { tryFiles } from '../source/fetch-room.ts';
import { acceptManifest, loadTrustState, nextTrustState, saveTrustState } from '../trust/accept.ts';
import type { Parsed, TrustState } from '../trust/accept.ts';
import { parseManifest } from '../trust/manifest.ts';
import { highest } from '../trust/mirrors.ts';
import { checkKeySet, underKeySet } from '../trust/rotation.ts';
import type { TrustedSet } from '../trust/rotation.ts';
import { verifyEnvelope } from '../trust/verify.ts';
import type { MachineContext } from './context.ts';
import { keySetFile } from './key-walk.ts';
import type { CheckState } from './state-files.ts';
import { trustDeps } from './trust-deps.ts';

export interface Answers {
  readonly mirrors: readonly Mirror[];
  /** What became of the next key set; undefined where there can be none. */
  readonly nextKeySet: FetchFileReport | undefined;
}

interface Mirror {
  readonly url: string;
  readonly answer: { readonly bytes: Buffer; readonly etag?: string } | UpdaterError;
}

export interface Chosen extends Parsed {
  readonly bytes: Buffer;
  /** Of the mirrors that serve it, by URL. */
  readonly etags: Readonly<Record<string, string>>;
  /** Why other mirrors' manifests were refused. */
  readonly refused: readonly UpdaterError[];
}

/** One order for all: the manifest of each mirror, and the key set after `number` from whichever has it. */
export async function askMirrors(
  before: CheckState | undefined,
  number: number,
  context: MachineContext,
): Promise<Answers> {
  const { layout, settings } = context;
  const { urls } = settings.source;
  const kept = await readKept(layout.manifest);
  const manifests = urls.map((url, index): FetchFile => {
    const etag = kept === undefined ? undefined : before?.etags?.[url];
    return { name: nameOf(index), urls: [url], limit: LIMITS.envelope, ...(etag === undefined ? {} : { etag }) };
  });
  const next = number < LIMITS.keySets ? [keySetFile(number + 1, context)] : [];
  const files = [...manifests, ...next];
  const reports = await tryFiles({ files }, { ...context, fetch: context.global.fetch, readSpool });
  const reportOf = (name: string | undefined) => reports.find((report) => report.name === name);
  const mirrors = await Promise.all(
    urls.map(async (url, index): Promise<Mirror> => {
      const known = { kept, etag: before?.etags?.[url] };
      return { url, answer: await answerOf(reportOf(nameOf(index)), known, context) };
    }),
  );
  return { mirrors, nextKeySet: reportOf(next[0]?.name) };
}

/** The first one's name is that of a source without mirrors: what an older version left there is not fetched again. */
function nameOf(index: number): string {
  return index === 0 ? 'manifest.json' : `manifest-${index + 1}.json`;
}

/** The envelope as it was when it was last verified: a 304 says that it still holds. It is verified again all the same. */
async function readKept(path: string): Promise<Buffer | undefined> {
  return ifThere(readFile(path), undefined);
}

interface Known {
  readonly kept: Buffer | undefined;
  readonly etag: string | undefined;
}

async function answerOf(
  report: FetchFileReport | undefined,
  { kept, etag }: Known,
  { layout }: MachineContext,
): Promise<Mirror['answer']> {
  if (report?.outcome === 'fetched') {
    const bytes = await readSpool(layout.cache, report.name, LIMITS.envelope);
    return { bytes, ...(report.etag === undefined ? {} : { etag: report.etag }) };
  }
  if (report?.outcome === 'not-modified' && kept !== undefined && etag !== undefined) return { bytes: kept, etag };
  if (report?.outcome === 'failed') return fetchFailure(report);
  return new UpdaterError('SOURCE_PROTOCOL', 'the fetch room left no manifest and does not say why', {
    remedy: 'See what it said: journalctl -t node-updater. The next run tries again.',
  });
}

/**
 * The highest serial that may be believed. Throws what the mirrors' manifests were refused for when none may; the floor is
 * raised, durably, and the manifest kept before this returns.
 */
export async function chooseManifest(
  { mirrors }: Answers,
  trusted: TrustedSet,
  context: MachineContext,
): Promise<Chosen> {
  const { clock, files, layout } = context;
  checkKeySet(trusted, clock.now());
  const floor = await loadTrustState(layout.trustState);
  const accepted: (Parsed & { readonly bytes: Buffer; readonly from: string })[] = [];
  const refused: UpdaterError[] = [];
  for (const bytes of distinct(mirrors)) {
    const from = serversOf(bytes, mirrors);
    const judged = await judge(bytes, trusted, floor, context);
    if (judged instanceof UpdaterError) refused.push(mirrors.length > 1 ? namedAfter(judged, from) : judged);
    else accepted.push({ ...judged, bytes, from });
  }
  const [first, ...others] = accepted;
  if (first === undefined) throw mostTelling(refused, mirrors);
  const best = highest([first, ...others]);
  await files.makeDirectory(layout.state, 0o755);
  await saveTrustState(layout.trustState, nextTrustState(best, floor), files);
  await keep(best.bytes, layout.manifest, context);
  return { ...best, etags: etagsOf(best.bytes, mirrors), refused };
}

/**
 * What the whole host lacks is thrown; what is wrong with one mirror's bytes is returned. That a verifier crashes or hangs is
 * taken for the bytes' doing: whoever knows how to make it must not keep the other mirrors' manifests from this host.
 */
async function judge(
  bytes: Buffer,
  trusted: TrustedSet,
  floor: TrustState | undefined,
  context: MachineContext,
): Promise<Parsed | UpdaterError> {
  const { name, channel } = context.settings.source;
  try {
    const verified = verifyEnvelope(bytes, trusted.keys, trusted.threshold, trustDeps(context));
    const { text } = await context.heartbeat.during(verified);
    const parsed = { manifest: parseManifest(text), text };
    acceptManifest(parsed, floor, { name, channel, now: context.clock.now(), buildTime: context.buildTime });
    return parsed;
  } catch (error) {
    if (error instanceof UpdaterError && error.code.startsWith('TRUST_') && error.code !== 'TRUST_NO_KEYS')
      return underKeySet(error, trusted);
    throw error;
  }
}

function serversOf(bytes: Buffer, mirrors: readonly Mirror[]): string {
  const serving = mirrors.filter(({ answer }) => !(answer instanceof UpdaterError) && answer.bytes.equals(bytes));
  return serving.map(({ url }) => url).join(', ');
}

/** Of several mirrors a person must know which one to look at. */
function namedAfter(error: UpdaterError, from: string): UpdaterError {
  return new UpdaterError(error.code, `${error.message} (from ${from})`, { remedy: error.remedy, cause: error.cause });
}

function distinct(mirrors: readonly Mirror[]): readonly Buffer[] {
  const all = mirrors.flatMap(({ answer }) => (answer instanceof UpdaterError ? [] : [answer.bytes]));
  return all.filter((bytes, index) => all.findIndex((other) => other.equals(bytes)) === index);
}

/** Bytes that came and were refused say more than a mirror that was not reached. */
function mostTelling(refused: readonly UpdaterError[], mirrors: readonly Mirror[]): UpdaterError {
  const [first, ...others] = refused;
  const failed = mirrors.flatMap(({ answer }) => (answer instanceof UpdaterError ? [answer] : []));
  if (first === undefined) return failed[0] as UpdaterError;
  if (others.length === 0) return first;
  const more = others.map(({ message }) => `another mirror: ${message}`).join('; ');
  return new UpdaterError(first.code, `${first.message}; ${more}`, {
    remedy: first.remedy,
    cause: new AggregateError(refused, 'refused manifests'),
  });
}

async function keep(bytes: Buffer, path: string, { files }: MachineContext): Promise<void> {
  if ((await readKept(path))?.equals(bytes) === true) return;
  await files.replace(path, bytes, 0o644);
}

function etagsOf(bytes: Buffer, mirrors: readonly Mirror[]): Readonly<Record<string, string>> {
  const same = mirrors.flatMap(({ url, answer }) =>
    !(answer instanceof UpdaterError) && answer.etag !== undefined && answer.bytes.equals(bytes)
      ? [[url, answer.etag] as const]
      : [],
  );
  return Object.fromEntries(same);
}
