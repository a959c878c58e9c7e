/** Where a source may be and where a probe may look. A probe that left this host would gate a release on somebody else. */
import { isIPv4 } from 'node:net';
import { plainText } from './text.ts';
import { accepted, refused, type Parsed } from './units.ts';

/** A host as the URL parser writes it: dotted IPv4, bracketed IPv6, or a lower-case name. */
function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  return host === 'localhost' || host === '::1' || host === '[::1]';
}

/** As a socket takes it: the brackets belong to URLs. */
export function loopbackHost(value: unknown): Parsed<string> {
  const text = plainText(value);
  if (!text.ok) return text;
  const host = text.value.toLowerCase();
  return isLoopback(host) ? accepted(host.replace(/^\[(.*)\]$/, '$1')) : refused(NOT_LOOPBACK);
}

const NOT_LOOPBACK =
  'is not this host: probes run in a room that reaches only 127.0.0.0/8, ::1 and localhost, and must not judge another host';

export function probeUrl(value: unknown): Parsed<string> {
  const url = parseUrl(value);
  if (!url.ok) return url;
  if (url.value.protocol !== 'http:') return refused('must start with http:// (nothing on the loopback needs TLS)');
  if (!isLoopback(url.value.hostname)) return refused(NOT_LOOPBACK);
  if (url.value.username !== '' || url.value.password !== '') return refused('must not hold a password');
  return accepted(url.value.href);
}

/** https, file, and http: whether http is allowed to another host is decided with `insecure_http` (node.ts). */
export function sourceUrl(value: unknown): Parsed<string> {
  const url = parseUrl(value);
  if (!url.ok) return url;
  const { protocol, hostname } = url.value;
  if (protocol === 'https:' || protocol === 'http:') return accepted(url.value.href);
  if (protocol !== 'file:') return refused(`must start with https:// or file://, not ${protocol}`);
  return hostname === '' ? accepted(url.value.href) : refused('must be file:/// followed by a path on this host');
}

/** What stands between this host and its sources: it is spoken to in http, or in http over TLS. */
export function proxyUrl(value: unknown): Parsed<string> {
  const url = parseUrl(value);
  if (!url.ok) return url;
  const { protocol, pathname, search } = url.value;
  if (protocol !== 'http:' && protocol !== 'https:') return refused('must start with http:// or https://');
  return pathname === '/' && search === '' ? accepted(url.value.href) : refused('must end after the host and port');
}

/** Plain http to another host: everybody on the way can delay an update, and see which one. */
export function isInsecure(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !isLoopback(hostname);
}

function parseUrl(value: unknown): Parsed<URL> {
  const text = plainText(value);
  if (!text.ok) return text;
  const url = URL.parse(text.value);
  return url === null ? refused(`is no URL: ${JSON.stringify(text.value)}`) : accepted(url);
}
