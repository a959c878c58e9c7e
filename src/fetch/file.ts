/** One file of the order: its URLs in order, each with a few tries, until one delivers. */
import { join } from 'node:path';
import { UpdaterError, diskError } from '../errors.ts';
import { failureOf, type Failure } from './failure.ts';
import { parseSourceUrl } from './hop.ts';
import { fetchFromDisk } from './local.ts';
import { isSigned } from './signed.ts';
import { MOST_TRIES, waitBeforeRetry } from './retry.ts';
import { fetchOverHttp, stopped, type Attempt } from './web.ts';
import { shown } from './wording.ts';
import type { Task } from './context.ts';
import type { FetchFile, FetchFileReport } from '../orders.ts';

/** So much progress makes a failure a new one: a link that drops every minute still brings a large file home. */
const PROGRESS = 1024 * 1024;

type Signed = NonNullable<FetchFile['signed']>;

/** Never throws for a reason that lies in the file, its servers or the disk: those are the report. */
export async function fetchFile(task: Task): Promise<FetchFileReport> {
  const { name, signed, urls } = task.file;
  if (signed !== undefined && (await isThere(task, signed))) {
    // An earlier run fetched it and came no further.
    return { name, outcome: 'fetched', url: urls[0] ?? '', bytes: signed.size };
  }
  const failures: Failure[] = [];
  for (const [index, text] of urls.entries()) {
    const outcome = await fetchChecked(task, text, urls.length - index - 1);
    if (outcome.kind !== 'failed') return reportOf(name, text, outcome);
    failures.push(outcome.failure);
    const expected = isAnswer(outcome.failure, task);
    const { code, message } = outcome.failure.error;
    task.deps.log[expected ? 'debug' : 'warn'](message, { CODE: code, FILE: name });
    if (outcome.failure.retry === 'stop') break;
  }
  const absent = failures.every((failure) => isAnswer(failure, task));
  return absent ? { name, outcome: 'absent' } : failedReport(name, failures);
}

/** A disk that cannot be read will say so again when it is written. */
async function isThere({ directory, file, deps }: Task, signed: Signed): Promise<boolean> {
  try {
    return await isSigned(join(directory, file.name), signed);
  } catch (error) {
    deps.log.warn(`${file.name} is fetched anew.`, { FILE: file.name, ERROR: String(error) });
    return false;
  }
}

/**
 * A mirror with other bytes than those signed must not keep the others from being asked, at this run and each one after.
 * Of the last one the transaction finds out by itself, and has more to say about it.
 */
async function fetchChecked(task: Task, text: string, mirrorsLeft: number): Promise<Attempt> {
  const outcome = await fetchUrl(task, text);
  const { signed, name } = task.file;
  if (outcome.kind !== 'fetched' || signed === undefined || mirrorsLeft === 0) return outcome;
  try {
    if (await isSigned(join(task.directory, name), signed)) return outcome;
    const what = `${hostOf(text)} has another file than the signed one as ${name}.`;
    throw new UpdaterError('SOURCE_PROTOCOL', what, {
      remedy: 'The mirror is broken, hostile or a different version. The next one is asked; tell who runs it.',
    });
  } catch (error) {
    return failedWith(error, task, text);
  }
}

function hostOf(text: string): string {
  const url = URL.parse(text);
  return shown(url === null || url.host === '' ? text : url.host);
}

/** That there is no such file is what was asked. */
function isAnswer({ absent }: Failure, { file }: Task): boolean {
  return file.absence === 'expected' && absent === true;
}

async function fetchUrl(task: Task, text: string): Promise<Attempt> {
  // Over all tries of this URL, so that a mirror that is bad in many ways still ends.
  const deadline = AbortSignal.timeout(task.settings.totalTimeout);
  const server = URL.parse(text)?.origin ?? text;
  // One that is down costs each check all its waits, at each file, before the next mirror is asked.
  let tries = task.exhausted.delete(server) ? MOST_TRIES : 1;
  for (; ; tries++) {
    const outcome = await tryUrl(task, text, deadline);
    if (outcome.kind !== 'failed' || outcome.failure.retry !== 'again' || isAnswer(outcome.failure, task))
      return outcome;
    if (outcome.gained >= PROGRESS) tries = 1;
    const wait = waitBeforeRetry(tries, task.deps.random(), outcome.failure.retryAfter);
    if (wait === undefined) {
      task.exhausted.add(server);
      return outcome;
    }
    task.deps.log.info(`${outcome.failure.error.message} Trying again in ${String(wait)} ms.`, {
      FILE: task.file.name,
    });
    const woken = await waited(task, wait, deadline);
    if (woken !== 'time')
      return woken === 'stopped' ? { ...outcome, failure: { error: stopped(undefined), retry: 'stop' } } : outcome;
  }
}

async function tryUrl(task: Task, text: string, deadline: AbortSignal): Promise<Attempt> {
  try {
    if (task.deps.signal.aborted) throw stopped(task.deps.signal.reason);
    const url = parseSourceUrl(text, task.insecureHttp);
    if (url.protocol === 'file:') return await fetchFromDisk(task, url);
    const refusal = task.patience?.refusal(url);
    if (refusal !== undefined) return { kind: 'failed', failure: refusal, gained: 0 };
    const attempt = await fetchOverHttp(task, url, deadline);
    if (attempt.kind === 'failed') await task.patience?.remember(url, attempt.failure.retryAfter);
    return attempt;
  } catch (error) {
    return failedWith(error, task, text);
  }
}

function failedWith(error: unknown, task: Task, text: string): Attempt {
  const known = error instanceof UpdaterError ? error : diskError(error, 'write in', task.directory);
  const where = { host: text, settings: task.settings, certificate: undefined, received: undefined };
  return { kind: 'failed', failure: failureOf(known, where), gained: 0 };
}

async function waited(task: Task, ms: number, deadline: AbortSignal): Promise<'time' | 'stopped' | 'late'> {
  try {
    await task.deps.clock.wait(ms, AbortSignal.any([task.deps.signal, deadline]));
    return 'time';
  } catch (error) {
    if (task.deps.signal.aborted) return 'stopped';
    if (deadline.aborted) return 'late';
    throw error;
  }
}

function reportOf(name: string, url: string, outcome: Exclude<Attempt, { kind: 'failed' }>): FetchFileReport {
  if (outcome.kind === 'not-modified') return { name, outcome: 'not-modified', url };
  const { bytes, etag } = outcome;
  return { name, outcome: 'fetched', url, bytes, ...(etag !== undefined && { etag }) };
}

/** The first URL is the publisher's own, so its code stands for all; the message names each. */
function failedReport(name: string, failures: readonly Failure[]): FetchFileReport {
  const decisive = failures.find(({ retry }) => retry === 'stop') ?? failures[0];
  const retryAfter = Math.max(0, ...failures.map((failure) => failure.retryAfter ?? 0));
  return {
    name,
    outcome: 'failed',
    code: decisive?.error.code ?? 'INTERNAL',
    message: shown(failures.map(({ error }) => error.message).join(' '), 4096),
    ...(retryAfter > 0 && { retryAfter }),
  };
}
