/**
 * Which proxy a URL is asked through. Pure.
 *
 * This host itself is never asked through a proxy: plain http is allowed to it because it does not leave it (hop.ts).
 */
import { BlockList, isIP } from 'node:net';
import { UpdaterError } from '../errors.ts';
import { kindOfHost } from './address.ts';
import type { FetchSettings } from '../settings.ts';

export type ProxyOf = (url: URL) => URL | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

export const PROXY_CREDENTIALS =
  'Put user name and password into `proxy` of the [fetch] section: proxy = "http://USER:PASSWORD@HOST:PORT".';

/**
 * The settings decide; without a proxy there, the environment's http_proxy, https_proxy and no_proxy, in small letters
 * first. The function returned throws UpdaterError SOURCE_PROTOCOL when the proxy that it should name is none.
 */
export function proxyOf(settings: Pick<FetchSettings, 'proxy' | 'noProxy'>, environment: Environment): ProxyOf {
  const named = (name: string): string => environment[name] ?? environment[name.toUpperCase()] ?? '';
  const { proxy } = settings;
  const texts =
    proxy === undefined
      ? { 'http:': named('http_proxy'), 'https:': named('https_proxy') || named('http_proxy') }
      : { 'http:': proxy, 'https:': proxy };
  const without =
    settings.noProxy ??
    named('no_proxy')
      .split(/[\s,]+/)
      .filter((entry) => entry !== '');
  return ({ protocol, hostname, port }) => {
    const text = protocol === 'http:' || protocol === 'https:' ? texts[protocol] : '';
    const direct = text === '' || kindOfHost(hostname) === 'loopback' || isListed(without, hostname, port, protocol);
    return direct ? undefined : parseProxy(text);
  };
}

/** Curl and others take HOST:PORT for http, so an environment may hold it. */
function parseProxy(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new UpdaterError('SOURCE_PROTOCOL', 'The proxy is no http:// or https:// URL; nothing is asked.', {
    remedy: 'Correct `proxy` in the [fetch] section, or http_proxy and https_proxy in the fetch unit.',
  });
}

function isListed(entries: readonly string[], hostname: string, port: string, protocol: string): boolean {
  const host = plain(hostname);
  const ownPort = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  return entries.some((entry) => {
    if (entry === '*') return true;
    if (entry.includes('/')) return isInNetwork(host, entry);
    const [, name = entry, onlyPort] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
    if (onlyPort !== undefined && onlyPort !== ownPort) return false;
    const listed = plain(name.replace(/^\*?\./, ''));
    return host === listed || (isIP(host) === 0 && host.endsWith(`.${listed}`));
  });
}

function isInNetwork(host: string, network: string): boolean {
  const [address = '', prefix = ''] = network.split('/');
  const [family, size] = [isIP(address), Number(prefix)];
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(prefix) || size > (family === 6 ? 128 : 32))
    return false;
  const list = new BlockList();
  const name = family === 6 ? 'ipv6' : 'ipv4';
  list.addSubnet(address, size, name);
  return list.check(host, name);
}

/** As names are compared: no brackets, no final dot, small letters. */
function plain(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}
