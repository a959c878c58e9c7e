/** One URL over HTTP: ask, follow redirects by hand, judge the answer, bring the body to disk. */
import { statfs } from 'node:fs/promises';
import { UpdaterError, diskError } from '../errors.ts';
import { judge, type Asked, type Verdict } from './answer.ts';
import { atMost } from './brake.ts';
import { failureOf, throughProxy, type Failure } from './failure.ts';
import { MOST_HOPS, nextHop, type Hop } from './hop.ts';
import { beginPart, closePart, completePart, discardPart, openPart, resumeOf, type Part } from './part.ts';
import { pump, tooLarge } from './pump.ts';
import { seconds, shown } from './wording.ts';
import type { Brought, Task } from './context.ts';
import type { Reply, Watch } from './exchange.ts';

export type Attempt =
  | Brought
  /** `gained`: bytes of this try that the next one need not fetch again. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly gained: number };

type Take = Extract<Verdict, { kind: 'body' }>;

/** What a message needs to know of a try that is under way. */
interface Progress {
  host: string;
  proxy: string | undefined;
  received: () => number | undefined;
}

/** Tries `url` once. What came stays in the part, for the next try or the next run. */
export async function fetchOverHttp(task: Task, url: URL, deadline: AbortSignal): Promise<Attempt> {
  const part = await openPart(task.directory, task.file.name);
  const before = part.size;
  const progress: Progress = { host: url.host, proxy: undefined, received: () => undefined };
  try {
    const attempt = await askAndTake(task, url, part, progress, AbortSignal.any([deadline, task.deps.signal]));
    return attempt.kind === 'failed' ? { ...attempt, failure: throughProxy(attempt.failure, progress.proxy) } : attempt;
  } catch (error) {
    const failure = throughProxy(explain(error, task, progress, deadline), progress.proxy);
    if (failure.error.code === 'SOURCE_TOO_LARGE') await discardPart(part);
    return { kind: 'failed', failure, gained: Math.max(0, part.size - before) };
  } finally {
    await closePart(part);
  }
}

async function askAndTake(task: Task, url: URL, part: Part, progress: Progress, signal: AbortSignal): Promise<Attempt> {
  const resume = resumeOf(part, url.href);
  const known = task.file.etag;
  const whole: Asked = { url, ...(known !== undefined && { known }) };
  const first = await ask(task, resume === undefined ? whole : { ...whole, resume }, progress, signal);
  // The second question has no range, so that it cannot be answered by `restart` again.
  const answer = first.verdict.kind === 'restart' ? await ask(task, whole, progress, signal) : first;
  const { verdict, reply } = answer;
  if (verdict.kind === 'body') return take(verdict, reply, { task, url, part, progress, signal });
  if (verdict.kind === 'not-modified') return verdict;
  if (verdict.kind === 'failed') return { kind: 'failed', failure: verdict.failure, gained: 0 };
  throw new UpdaterError(
    'SOURCE_PROTOCOL',
    `${shown(progress.host)} answers a plain request as if it were for a range.`,
    {
      remedy: 'Open the URL by hand, from this host, to see who answers. The next mirror is asked meanwhile.',
    },
  );
}

/** Follows redirects to the first answer that is none. The body is given up unless the verdict is to take it. */
async function ask(
  task: Task,
  asked: Asked,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ verdict: Exclude<Verdict, { kind: 'redirect' }>; reply: Reply }> {
  const headers = requestHeaders(asked);
  let hop: Hop = { url: asked.url, reach: 'any' };
  for (let hops = 0; ; hops++) {
    progress.host = hop.url.host;
    progress.proxy = task.client.proxy(hop.url);
    const reply = await task.client.get(hop, headers, signal);
    const answer = { status: reply.statusCode, headers: reply.headers };
    const verdict = judge(answer, { ...asked, url: hop.url }, task.deps.clock.now());
    if (verdict.kind !== 'body') reply.giveUp();
    if (verdict.kind !== 'redirect') return { verdict, reply };
    if (hops === MOST_HOPS) throw tooManyHops(asked.url);
    const own = { url: asked.url, kind: task.client.kindOf(asked.url.hostname) };
    hop = nextHop(hop.url, verdict.location, own, task.insecureHttp);
  }
}

async function take(
  verdict: Take,
  reply: Reply,
  { task, url, part, progress, signal }: { task: Task; url: URL; part: Part; progress: Progress; signal: AbortSignal },
): Promise<Attempt> {
  const { offset, total, etag } = verdict;
  try {
    if (total !== undefined && total > task.file.limit) throw tooLarge(task, progress.host);
    if (total !== undefined) checkTotal(task, progress.host, total);
    if (total !== undefined) await checkSpace(task, total - offset);
    await beginPart(part, offset, {
      url: url.href,
      ...(etag !== undefined && { etag }),
      ...(total !== undefined && { total }),
    });
  } catch (error) {
    reply.giveUp();
    throw error;
  }
  progress.received = () => part.size - offset;
  const { maximumSpeed } = task.settings;
  const braked = (watch: Watch) => atMost(maximumSpeed, reply.read(watch), task.deps.clock, signal);
  await pump(braked, part, task, progress.host);
  // A body without a length that is cut looks whole (F008); what is signed of it says otherwise.
  const whole = total ?? task.file.signed?.size;
  if (whole !== undefined && part.size !== whole) throw cutShort(progress.host, part.size, whole);
  await completePart(part);
  return { kind: 'fetched', bytes: part.size, ...(etag !== undefined && { etag }) };
}

/** What is longer is over the limit. @throws UpdaterError SOURCE_PROTOCOL */
function checkTotal({ file }: Task, host: string, total: number): void {
  if (file.signed === undefined || total === file.signed.size) return;
  const text = `${shown(host)} has ${String(total)} bytes for ${file.name}, and ${String(file.signed.size)} are signed.`;
  throw new UpdaterError('SOURCE_PROTOCOL', text, {
    remedy: 'The mirror is broken, hostile or a different version. The next one is asked; tell who runs it.',
  });
}

function requestHeaders({ known, resume }: Asked): Record<string, string> {
  return {
    ...(known !== undefined && { 'if-none-match': known }),
    ...(resume !== undefined && { range: `bytes=${String(resume.from)}-`, 'if-range': resume.etag }),
  };
}

/** S1.14: better said before the download than after most of it. @throws UpdaterError DISK_FULL */
async function checkSpace(task: Task, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(task.directory).catch((cause: unknown) => {
    throw diskError(cause, 'look at the free space of', task.directory);
  });
  const missing = needed - bavail * bsize;
  if (missing <= 0) return;
  throw new UpdaterError('DISK_FULL', `${task.directory} is short of ${String(missing)} bytes for ${task.file.name}.`, {
    remedy: 'Free space on the file system of the cache directory (df -h).',
  });
}

function explain(error: unknown, task: Task, progress: Progress, deadline: AbortSignal): Failure {
  if (task.deps.signal.aborted) return { error: stopped(error), retry: 'stop' };
  const host = shown(progress.host);
  if (deadline.aborted) {
    const limit = seconds(task.settings.totalTimeout);
    const late = new UpdaterError('SOURCE_SLOW', `${host} did not deliver ${task.file.name} within ${limit}.`, {
      cause: error,
      remedy:
        'Add a faster mirror, or raise `total_timeout` of the [fetch] section. What has come is kept and resumed.',
    });
    return { error: late, retry: 'elsewhere' };
  }
  const certificate = task.client.certificate(progress.host.replace(/:\d+$/, ''));
  return failureOf(error, { host: progress.host, settings: task.settings, certificate, received: progress.received() });
}

export function stopped(cause: unknown): UpdaterError {
  return new UpdaterError('SOURCE_FETCH_DIED', 'The fetch was stopped before it was done.', {
    cause,
    remedy: 'Nothing to do: what has come is kept, and the next run goes on from there.',
  });
}

function cutShort(host: string, size: number, total: number): UpdaterError {
  const text = `${shown(host)} ended the file at ${String(size)} of ${String(total)} bytes.`;
  return new UpdaterError('SOURCE_UNREACHABLE', text, {
    remedy: 'Nothing to do if it passes: it is tried again at the next run.',
  });
}

function tooManyHops(url: URL): UpdaterError {
  const text = `${shown(url.host)} redirects more than ${String(MOST_HOPS)} times; this is not followed further.`;
  return new UpdaterError('SOURCE_REDIRECT', text, {
    remedy: 'Put the URL that the redirects end at into the configuration, or tell who runs this server.',
  });
}
