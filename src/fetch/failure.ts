/** Turns whatever went wrong into a code, a sentence that names the host and what happened, and whether to try again. */
import { UpdaterError, errnoOf, type ErrorCode } from '../errors.ts';
import { PROXY_CREDENTIALS } from './proxy.ts';
import { seconds, shown } from './wording.ts';
import type { FetchSettings } from '../settings.ts';

export interface Failure {
  readonly error: UpdaterError;
  /** `again`: it may pass, the same URL deserves another try. `elsewhere`: the next URL. `stop`: no URL can help. */
  readonly retry: 'again' | 'elsewhere' | 'stop';
  /** The server says that it has no such file; S3 says 403 to who may not list. */
  readonly absent?: true;
  /** Milliseconds that the server asked for. */
  readonly retryAfter?: number;
}

export interface Where {
  readonly host: string;
  readonly settings: FetchSettings;
  /** What the host's certificate says of its own time, if it was seen. */
  readonly certificate: string | undefined;
  /** Bytes of this answer's body so far; undefined before there was an answer. */
  readonly received: number | undefined;
}

/** `kind` chooses code and remedy. */
interface Row {
  readonly kind: 'network' | 'tls' | 'protocol' | 'slow' | 'redirect' | 'proxy';
  readonly text: (where: Where, error: Error) => string;
}

const closed: Row = {
  kind: 'network',
  text: (w) =>
    w.received === undefined
      ? `${w.host} closed the connection without an answer`
      : `${w.host} closed the connection after ${String(w.received)} bytes of the body`,
};
const noRoute: Row = { kind: 'network', text: (w) => `There is no route to ${w.host}` };
const noConnect: Row = {
  kind: 'network',
  text: (w) => `${w.host} did not take a connection within ${seconds(w.settings.connectTimeout)}`,
};
const selfMade: Row = {
  kind: 'tls',
  text: (w) => `TLS: the certificate of ${w.host} was not issued by an authority that this host trusts`,
};
const noEntry: Row = {
  kind: 'proxy',
  text: (w) => `HTTP 407 on the way to ${w.host}: the proxy wants a user name and password`,
};
const tooMuchHeader: Row = { kind: 'protocol', text: (w) => `${w.host} sent more header than an honest server does` };

const ROWS: Readonly<Record<string, Row>> = {
  ENOTFOUND: { kind: 'network', text: (w) => `DNS has no address for ${w.host}` },
  ENODATA: { kind: 'network', text: (w) => `DNS has no address for ${w.host}` },
  EAI_AGAIN: { kind: 'network', text: (w) => `DNS does not answer (asked for ${w.host})` },
  ECONNREFUSED: { kind: 'network', text: (w) => `${w.host} refused the connection` },
  ENETUNREACH: noRoute,
  EHOSTUNREACH: noRoute,
  EADDRNOTAVAIL: noRoute,
  EPERM: { kind: 'network', text: (w) => `A firewall or the unit's IPAddressDeny= forbids to connect to ${w.host}` },
  EACCES: { kind: 'network', text: (w) => `A firewall on this host forbids to connect to ${w.host}` },
  ETIMEDOUT: noConnect,
  UND_ERR_CONNECT_TIMEOUT: noConnect,
  ECONNRESET: closed,
  EPIPE: closed,
  UND_ERR_SOCKET: closed,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: closed,
  UND_ERR_HEADERS_TIMEOUT: {
    kind: 'network',
    text: (w) => `${w.host} took the request and sent no answer within ${seconds(w.settings.headersTimeout)}`,
  },
  UND_ERR_PRX_CONN: { kind: 'network', text: (w) => `The proxy closed the connection (on the way to ${w.host})` },
  UND_ERR_PRX_TLS: { kind: 'tls', text: () => 'TLS: the certificate of the proxy is for another name' },
  UND_ERR_ABORTED: {
    kind: 'network',
    text: (w, error) => `The proxy did not connect to ${w.host} (${shown(error.message)})`,
  },
  UND_ERR_BODY_TIMEOUT: {
    kind: 'slow',
    text: (w) => `${w.host} sent nothing for ${seconds(w.settings.slowWindow)} in the middle of the file`,
  },
  UND_ERR_HEADERS_OVERFLOW: tooMuchHeader,
  HPE_HEADER_OVERFLOW: tooMuchHeader,
  ERR_NEVER_FINAL: { kind: 'protocol', text: (w) => `${w.host} keeps announcing an answer and gives none` },
  ERR_REFUSED_ADDRESS: { kind: 'redirect', text: (_w, error) => error.message },
  CERT_HAS_EXPIRED: { kind: 'tls', text: (w) => `TLS: the certificate of ${w.host} has expired${stated(w)}` },
  CERT_NOT_YET_VALID: { kind: 'tls', text: (w) => `TLS: the certificate of ${w.host} is not yet valid${stated(w)}` },
  ERR_TLS_CERT_ALTNAME_INVALID: { kind: 'tls', text: (w) => `TLS: the certificate of ${w.host} is for another name` },
  DEPTH_ZERO_SELF_SIGNED_CERT: selfMade,
  SELF_SIGNED_CERT_IN_CHAIN: selfMade,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: selfMade,
  UNABLE_TO_GET_ISSUER_CERT: selfMade,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: selfMade,
};

const KINDS: Readonly<Record<Row['kind'], { code: ErrorCode; retry: Failure['retry']; remedy: string }>> = {
  network: {
    code: 'SOURCE_UNREACHABLE',
    retry: 'again',
    remedy:
      'Nothing to do if it passes: it is tried again at the next run. If it stays, check network, DNS and firewall of this host.',
  },
  tls: {
    code: 'SOURCE_TLS',
    retry: 'elsewhere',
    remedy:
      'Check the clock of this host first. For a private authority, name its certificate in `ca_file` of the [fetch] section.',
  },
  protocol: {
    code: 'SOURCE_PROTOCOL',
    retry: 'elsewhere',
    remedy: 'Open the URL by hand, from this host, to see who answers. The next mirror is asked meanwhile.',
  },
  slow: {
    code: 'SOURCE_SLOW',
    retry: 'elsewhere',
    remedy:
      'Add a faster mirror, or lower `minimum_speed` of the [fetch] section if this link is that slow. What has come is kept and resumed.',
  },
  proxy: { code: 'SOURCE_HTTP_STATUS', retry: 'elsewhere', remedy: PROXY_CREDENTIALS },
  redirect: {
    code: 'SOURCE_REDIRECT',
    retry: 'elsewhere',
    remedy:
      'If the redirect is meant, put the URL that it leads to into the configuration. If not, do not trust this mirror.',
  },
};

/** The same, for a request that went through `proxy` (host and port), which may be the one at fault. */
export function throughProxy(failure: Failure, proxy: string | undefined): Failure {
  const { code, message, remedy, cause } = failure.error;
  if (proxy === undefined || !code.startsWith('SOURCE_') || code === 'SOURCE_FETCH_DIED') return failure;
  const text = `${message.replace(/\.$/, '')} (asked through the proxy ${shown(proxy)}).`;
  return { ...failure, error: new UpdaterError(code, text, { cause, remedy }) };
}

/** For errors of the network side: undici, TLS, DNS, and ours. */
export function failureOf(error: unknown, where: Where): Failure {
  if (error instanceof UpdaterError) {
    // A mirror on a disk that lacks the file; that it is not mounted looks the same.
    const absent = error.code === 'SOURCE_UNREACHABLE' && errnoOf(error.cause) === 'ENOENT';
    return { error, retry: retryOf(error.code), ...(absent && { absent }) };
  }
  const code = errnoOf(error) ?? '';
  const row = rowOf(code, error, where);
  const kind = KINDS[row.kind];
  const text = row.text(
    { ...where, host: shown(where.host) },
    error instanceof Error ? error : new Error(String(error)),
  );
  return { error: new UpdaterError(kind.code, `${text}.`, { cause: error, remedy: kind.remedy }), retry: kind.retry };
}

function retryOf(code: ErrorCode): Failure['retry'] {
  if (code === 'SOURCE_UNREACHABLE') return 'again';
  return code.startsWith('DISK_') || code === 'SOURCE_FETCH_DIED' ? 'stop' : 'elsewhere';
}

function rowOf(code: string, error: unknown, where: Where): Row {
  // undici's words for a proxy's 407: to CONNECT, and to a request in plain http.
  if (error instanceof Error && /^Proxy (response|Authentication Required) \(407\)/.test(error.message)) return noEntry;
  // undici's word for contradictory lengths in the header, when it comes before the answer (F025).
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && where.received === undefined) {
    return { kind: 'protocol', text: (w) => `${w.host} answered with contradictory lengths` };
  }
  return ROWS[code] ?? guess(code, error);
}

function guess(code: string, error: unknown): Row {
  const unparsable = error instanceof Error && error.name === 'HTTPParserError';
  if (unparsable || code.startsWith('HPE_') || code.startsWith('UND_ERR_')) {
    return {
      kind: 'protocol',
      text: (w, e) => `${w.host} does not speak proper HTTP (${[code, shown(e.message)].filter(Boolean).join(': ')})`,
    };
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code.includes('CERT') || code === 'EPROTO') {
    return {
      kind: 'tls',
      text: (w, e) => `TLS: no secure connection to ${w.host} (${[code, shown(e.message)].filter(Boolean).join(': ')})`,
    };
  }
  return {
    kind: 'network',
    text: (w, e) => `${w.host} cannot be reached (${[code, shown(e.message)].filter(Boolean).join(': ')})`,
  };
}

function stated(where: Where): string {
  return where.certificate === undefined ? '' : ` (${shown(where.certificate)})`;
}
