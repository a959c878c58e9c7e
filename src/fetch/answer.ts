/**
 * What a server's answer means for what was asked. Pure.
 *
 * Threat: a server that lies. A part of another file must never be glued to the bytes that are here: a range is taken
 * only where the strong ETag, the offset and the total all agree (F021, F022); everything else starts from zero. The
 * digest would refuse the mixture anyway, but only after the whole download.
 */
import { UpdaterError } from '../errors.ts';
import { PROXY_CREDENTIALS } from './proxy.ts';
import { shown, shownUrl } from './wording.ts';
import { parseRetryAfter } from './retry.ts';
import type { Failure } from './failure.ts';

export interface Asked {
  readonly url: URL;
  /** Present when If-None-Match was sent. */
  readonly known?: string;
  /** Present when Range and If-Range were sent. */
  readonly resume?: Resume;
}

/** Where to go on, and what must still be true there. */
export interface Resume {
  readonly from: number;
  readonly etag: string;
  readonly total?: number;
}

export interface Answer {
  readonly status: number;
  /** Lower-case names; a header that came twice is joined or a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export type Verdict =
  | { readonly kind: 'body'; readonly offset: number; readonly total?: number; readonly etag?: string }
  | { readonly kind: 'not-modified' }
  | { readonly kind: 'redirect'; readonly location: string | undefined }
  /** What is here is of no use: ask again without a range. */
  | { readonly kind: 'restart' }
  | { readonly kind: 'failed'; readonly failure: Failure };

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
// ASCII alone: an ETag goes back into a header and into orders. Others are treated as if there were none.
const STRONG_ETAG = /^"[\x21\x23-\x7e]*"$/;
const ANY_ETAG = /^(W\/)?"[\x21\x23-\x7e]{0,1000}"$/;

/** Only a strong ETag names exact bytes (RFC 9110 8.8.1), so only it allows a resume. */
export function isStrong(etag: string | undefined): etag is string {
  return etag !== undefined && STRONG_ETAG.test(etag);
}

export function judge(answer: Answer, asked: Asked, now: number): Verdict {
  const { status } = answer;
  if (REDIRECTS.has(status)) return { kind: 'redirect', location: header(answer, 'location') };
  if (status === 304)
    return asked.known === undefined ? odd(asked, 'HTTP 304 to a plain request') : { kind: 'not-modified' };
  if (status === 416 && asked.resume !== undefined) return { kind: 'restart' };
  if (status === 206) return judgePart(answer, asked);
  if (status !== 200) return { kind: 'failed', failure: statusFailure(answer, asked, now) };
  return checkBody(answer, asked) ?? whole(answer);
}

function whole(answer: Answer): Verdict {
  const total = header(answer, 'content-length');
  const etag = header(answer, 'etag');
  return {
    kind: 'body',
    offset: 0,
    ...(total !== undefined && { total: Number(total) }),
    ...(etag !== undefined && ANY_ETAG.test(etag) && { etag }),
  };
}

function judgePart(answer: Answer, asked: Asked): Verdict {
  if (asked.resume === undefined) return odd(asked, 'HTTP 206 to a request for the whole file');
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(header(answer, 'content-range') ?? '');
  if (match === null) return { kind: 'restart' };
  const [from, last, total] = match.slice(1).map(Number) as [number, number, number];
  const { resume } = asked;
  const agrees = from === resume.from && last === total - 1 && total === (resume.total ?? total);
  if (!agrees || header(answer, 'etag') !== resume.etag) return { kind: 'restart' };
  return checkBody(answer, asked) ?? { kind: 'body', offset: from, total, etag: resume.etag };
}

/** What no download of ours looks like, whatever its status says. */
function checkBody(answer: Answer, asked: Asked): Verdict | undefined {
  // RFC 9112 6.3: two lengths, or a length beside chunks, is how requests are smuggled past a cache (F025).
  const { 'content-length': length, 'transfer-encoding': transfer } = answer.headers;
  const sound =
    length === undefined || (typeof length === 'string' && /^\d{1,15}$/.test(length) && transfer === undefined);
  if (!sound) return odd(asked, 'contradictory lengths');
  const encoding = header(answer, 'content-encoding') ?? 'identity';
  if (!/^\s*identity\s*$/i.test(encoding) && encoding !== '') {
    return odd(asked, `the body packed as ${shown(encoding)}, which was not asked for`);
  }
  // A captive portal or a filtering proxy answers 200 with a page of its own (F015).
  if (/^\s*text\/html\b/i.test(header(answer, 'content-type') ?? '')) {
    return odd(asked, 'a web page instead of the file (a captive portal, a filtering proxy or a wrong URL)');
  }
  return undefined;
}

const MEANT: Readonly<Record<number, { readonly means: string; readonly remedy: string }>> = {
  407: { means: ' (the proxy wants a user name and password)', remedy: PROXY_CREDENTIALS },
  511: {
    means: ' (a captive portal wants somebody to log in)',
    remedy: 'Open a web page on this host and log in to its network. The running version stays meanwhile.',
  },
};

const USUAL = {
  means: '',
  remedy: 'Nothing to do if it passes: it is tried again at the next run. If it stays, ask who runs this server.',
};

function statusFailure(answer: Answer, asked: Asked, now: number): Failure {
  const { status } = answer;
  const { means, remedy } = MEANT[status] ?? USUAL;
  const text = `HTTP ${String(status)} for ${shownUrl(asked.url)}${means}.`;
  const error = new UpdaterError('SOURCE_HTTP_STATUS', text, { remedy });
  const retryAfter = parseRetryAfter(header(answer, 'retry-after'), now);
  const passing = status === 408 || status === 429 || (status >= 500 && ![501, 505, 511].includes(status));
  const absent = status === 403 || status === 404 || status === 410;
  const retry = passing ? 'again' : 'elsewhere';
  return { error, retry, ...(absent && { absent }), ...(retryAfter !== undefined && { retryAfter }) };
}

function odd(asked: Asked, what: string): Verdict {
  const error = new UpdaterError('SOURCE_PROTOCOL', `${shown(asked.url.host)} answered with ${what}.`, {
    remedy: 'Open the URL by hand, from this host, to see who answers. The next mirror is asked meanwhile.',
  });
  return { kind: 'failed', failure: { error, retry: 'elsewhere' } };
}

function header(answer: Answer, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' || value === undefined ? value : value[0];
}
