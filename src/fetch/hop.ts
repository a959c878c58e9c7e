/**
 * Which URL may be asked, and where a redirect may lead. Pure.
 *
 * Threat: a mirror, or who stands between, answers with a redirect. It must not take the request off TLS (F011), make
 * this process open files (F012), or make it the attacker's arm inside the host's network (F013). Names are judged here
 * as far as they can be; what they resolve to is judged at connect (client.ts).
 */
import { UpdaterError } from '../errors.ts';
import { kindOfHost, isWithin, type AddressKind, type Reach } from './address.ts';
import { shown } from './wording.ts';

/** Bounded, and enough for http → https → CDN. */
export const MOST_HOPS = 3;

export interface Hop {
  readonly url: URL;
  readonly reach: Reach;
}

/** The order's own URL. @throws UpdaterError SOURCE_PROTOCOL when it may not be asked. */
export function parseSourceUrl(text: string, insecureHttp: boolean): URL {
  const url = URL.parse(text);
  if (url === null) throw refused(`${shown(text)} is not an absolute URL`);
  if (url.username !== '' || url.password !== '') {
    throw refused(`The URL of ${shown(url.host)} carries a user name or password`);
  }
  if (url.protocol !== 'file:') checkScheme(url, insecureHttp);
  return url;
}

/**
 * @param own the order's URL that led here, and the kind of address that it was found at
 * @throws UpdaterError SOURCE_REDIRECT when the redirect must not be followed
 */
export function nextHop(
  from: URL,
  location: string | undefined,
  own: { readonly url: URL; readonly kind: AddressKind },
  insecureHttp: boolean,
): Hop {
  const to = location === undefined ? null : URL.parse(location, from.href);
  if (to === null) throw redirect(from, 'without a usable Location');
  if (to.protocol !== 'http:' && to.protocol !== 'https:') throw redirect(from, `to the scheme ${shown(to.protocol)}`);
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw redirect(from, `from https down to http (${shown(to.host)})`);
  }
  if (to.username !== '' || to.password !== '') throw redirect(from, 'to a URL with a user name or password');
  const kind = kindOfHost(to.hostname);
  const reach = to.hostname === own.url.hostname ? 'any' : own.kind;
  if (kind !== undefined && !isWithin(reach, kind)) {
    throw redirect(from, `to ${shown(to.host)}, which is a ${kind} address`);
  }
  checkScheme(to, insecureHttp);
  return { url: to, reach };
}

function checkScheme(url: URL, insecureHttp: boolean): void {
  if (url.protocol === 'https:') return;
  if (url.protocol !== 'http:') throw refused(`The scheme ${shown(url.protocol)} is not supported`);
  if (insecureHttp || kindOfHost(url.hostname) === 'loopback') return;
  throw new UpdaterError(
    'SOURCE_PROTOCOL',
    `${shown(url.host)} is to be asked over plain http, which is not allowed.`,
    {
      remedy:
        'Use https. If this network has none, set `insecure_http = true` in the [source] of the node; signatures are checked all the same.',
    },
  );
}

function refused(what: string): UpdaterError {
  return new UpdaterError('SOURCE_PROTOCOL', `${what}; it is not asked.`, {
    remedy: 'Correct the URL in the node’s configuration, or report it to the publisher if it stands in the manifest.',
  });
}

function redirect(from: URL, where: string): UpdaterError {
  return new UpdaterError('SOURCE_REDIRECT', `${shown(from.host)} redirects ${where}; the redirect is not followed.`, {
    remedy:
      'If the redirect is meant, put the URL that it leads to into the configuration. If not, do not trust this mirror.',
  });
}
