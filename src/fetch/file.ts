/** One file of the order: its URLs in order, each with a few tries, until one delivers. */
import { UpdaterError, diskError } from '../errors.ts';
import { failureOf, type Failure } from './failure.ts';
import { parseSourceUrl } from './hop.ts';
import { fetchFromDisk } from './local.ts';
import { waitBeforeRetry } from './retry.ts';
import { fetchOverHttp, stopped, type Attempt } from './web.ts';
import { shown } from './wording.ts';
import type { Task } from './context.ts';
import type { FetchFileReport } from '../orders.ts';

/** So much progress makes a failure a new one: a link that drops every minute still brings a large file home. */
const PROGRESS = 1024 * 1024;

/** Never throws for a reason that lies in the file, its servers or the disk: those are the report. */
export async function fetchFile(task: Task): Promise<FetchFileReport> {
  const failures: Failure[] = [];
  for (const text of task.file.urls) {
    const outcome = await fetchUrl(task, text);
    if (outcome.kind !== 'failed') return reportOf(task.file.name, text, outcome);
    failures.push(outcome.failure);
    const expected = isAnswer(outcome.failure, task);
    const { code, message } = outcome.failure.error;
    task.deps.log[expected ? 'debug' : 'warn'](message, { CODE: code, FILE: task.file.name });
    if (outcome.failure.retry === 'stop') break;
  }
  const absent = failures.every((failure) => isAnswer(failure, task));
  return absent ? { name: task.file.name, outcome: 'absent' } : failedReport(task.file.name, failures);
}

/** That there is no such file is what was asked. */
function isAnswer({ absent }: Failure, { file }: Task): boolean {
  return file.absence === 'expected' && absent === true;
}

async function fetchUrl(task: Task, text: string): Promise<Attempt> {
  // Over all tries of this URL, so that a mirror that is bad in many ways still ends.
  const deadline = AbortSignal.timeout(task.settings.totalTimeout);
  for (let tries = 1; ; tries++) {
    const outcome = await tryUrl(task, text, deadline);
    if (outcome.kind !== 'failed' || outcome.failure.retry !== 'again' || isAnswer(outcome.failure, task))
      return outcome;
    if (outcome.gained >= PROGRESS) tries = 1;
    const wait = waitBeforeRetry(tries, task.deps.random(), outcome.failure.retryAfter);
    if (wait === undefined) return outcome;
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
    return url.protocol === 'file:' ? await fetchFromDisk(task, url) : await fetchOverHttp(task, url, deadline);
  } catch (error) {
    const known = error instanceof UpdaterError ? error : diskError(error, 'write in', task.directory);
    const where = { host: text, settings: task.settings, certificate: undefined, received: undefined };
    return { kind: 'failed', failure: failureOf(known, where), gained: 0 };
  }
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
