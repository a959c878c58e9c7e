/**
 * The HTTP client: sole importer of undici in the fetch room.
 *
 * Threat: a redirect to a name that resolves into the host's own network (F013). What a name resolves to is known only
 * here, at connect, so it is judged here. Behind a proxy the proxy resolves, and its rules hold; of hosts behind it nothing
 * is known but their names.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { TLSSocket } from 'node:tls';
import type { Dispatcher } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { loadAuthorities } from './authorities.ts';
import { isWithin, kindOfAddress, kindOfHost, type AddressKind, type Reach } from './address.ts';
import { exchange, type Reply } from './exchange.ts';
import { proxyOf } from './proxy.ts';
import type { FetchDeps } from './context.ts';
import type { Hop } from './hop.ts';
import type { FetchSettings } from '../settings.ts';

export interface HttpClient extends AsyncDisposable {
  /** Asks once, follows nothing. Rejects with the errors of undici, TLS and DNS as they are. */
  get(hop: Hop, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Reply>;
  /** What `hostname` was found to be when it was last connected to; public as long as nobody knows better. */
  kindOf(hostname: string): AddressKind;
  /** What the certificate of a host that was refused says of its own time. */
  certificate(hostname: string): string | undefined;
  /** The host and port of the proxy that `url` is asked through. @throws UpdaterError SOURCE_PROTOCOL */
  proxy(url: URL): string | undefined;
}

interface Seen {
  readonly kinds: Map<string, AddressKind>;
  readonly certificates: Map<string, string>;
}

export function openClient(
  settings: FetchSettings,
  deps: Pick<FetchDeps, 'version' | 'environment' | 'clock'>,
): HttpClient {
  const seen: Seen = { kinds: new Map(), certificates: new Map() };
  const pools = new Map<string, Promise<Dispatcher>>();
  const proxyFor = proxyOf(settings, deps.environment);
  const poolFor = ({ url, reach }: Hop): Promise<Dispatcher> => {
    const proxy = proxyFor(url);
    const key = proxy?.href ?? reach;
    const pool = pools.get(key) ?? (proxy === undefined ? direct(settings, reach, seen) : through(settings, proxy));
    pools.set(key, pool);
    return pool;
  };
  return {
    get: async (hop, headers, signal) => {
      const { origin, pathname, search } = hop.url;
      const usual = { 'user-agent': `node-updater/${deps.version}`, 'accept-encoding': 'identity', accept: '*/*' };
      const options = { origin, path: pathname + search, method: 'GET' as const, headers: { ...usual, ...headers } };
      return exchange(await poolFor(hop), options, deps.clock, signal);
    },
    kindOf: (hostname) => kindOfHost(hostname) ?? seen.kinds.get(hostname) ?? 'public',
    certificate: (hostname) => seen.certificates.get(hostname),
    proxy: (url) => proxyFor(url)?.host,
    [Symbol.asyncDispose]: async () => {
      // Not close(): a body that was given up must not hold the end of the process. A pool that was never made has no end.
      const made = await Promise.allSettled(pools.values());
      await Promise.all(made.flatMap((pool) => (pool.status === 'fulfilled' ? [pool.value.destroy()] : [])));
    },
  };
}

async function direct(settings: FetchSettings, reach: Reach, seen: Seen): Promise<Dispatcher> {
  return new Agent({ ...limitsOf(settings), connect: connector(await tlsOf(settings), settings, reach, seen) });
}

/** For https the proxy only passes bytes on (CONNECT), and TLS is spoken with the server. */
async function through(settings: FetchSettings, proxy: URL): Promise<Dispatcher> {
  const tls = await tlsOf(settings);
  const { default: ProxyAgent } = await import('undici/lib/dispatcher/proxy-agent.js');
  const { default: Pool } = await import('undici/lib/dispatcher/pool.js');
  const { default: connect } = await import('undici/lib/api/api-connect.js');
  // Without these the time limits would not hold for what is said to the proxy itself.
  const makePool = (origin: string | URL, options: object): Dispatcher =>
    new Pool(origin, { ...limitsOf(settings), ...options });
  return new ProxyAgent({
    ...limitsOf(settings),
    uri: proxy.href,
    connectTimeout: settings.connectTimeout,
    proxyTls: tls,
    requestTls: tls,
    // Only the whole of undici gives its dispatchers this method, with which the tunnel is asked for.
    clientFactory: (origin, options) => Object.assign(makePool(origin, options), { connect }),
    factory: makePool,
  });
}

function limitsOf(settings: FetchSettings) {
  return {
    allowH2: false,
    connections: 2,
    pipelining: 1,
    headersTimeout: settings.headersTimeout,
    // Silence for the whole window is below any minimum speed; slower drips are seen by our own meter (speed.ts).
    bodyTimeout: settings.slowWindow,
  };
}

interface Tls {
  readonly allowH2: false;
  readonly minVersion: 'TLSv1.2';
  readonly ca?: string[];
}

async function tlsOf({ caFile }: FetchSettings): Promise<Tls> {
  const ca = await loadAuthorities(caFile);
  return { allowH2: false, minVersion: 'TLSv1.2', ...(ca !== undefined && { ca: [...ca] }) };
}

function connector(tls: Tls, settings: FetchSettings, reach: Reach, seen: Seen): buildConnector.connector {
  // Its type says nothing is returned; the socket is. Were it not, a message would lack a date.
  const connect: (...args: Parameters<buildConnector.connector>) => unknown = buildConnector({
    ...tls,
    timeout: settings.connectTimeout,
    lookup: guardedLookup(reach, seen.kinds),
  });
  return (options, callback) => {
    const socket = connect(options, callback);
    if (!(socket instanceof TLSSocket)) return;
    // Before Node's own listener, which destroys the socket, and with it the certificate, when it is refused.
    socket.prependOnceListener('secure', () => {
      const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
      seen.certificates.set(options.hostname, `valid from ${from} to ${to}`);
    });
  };
}

type Lookup = (
  hostname: string,
  options: object,
  callback: (error: Error | null, addresses: string | LookupAddress[], family?: number) => void,
) => void;

/** node:dns lookup that leaves out the addresses that `reach` forbids, and fails when none is left. */
function guardedLookup(reach: Reach, kinds: Map<string, AddressKind>): Lookup {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const allowed = found.filter(({ address }) => isWithin(reach, kindOfAddress(address)));
      const first = allowed[0];
      if (first === undefined) {
        callback(refusedAddress(hostname, found), []);
        return;
      }
      kinds.set(hostname, kindOfAddress(first.address));
      if ('all' in options && options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function refusedAddress(hostname: string, found: readonly LookupAddress[]): Error {
  const addresses = found.map(({ address }) => `${address} (${kindOfAddress(address)})`).join(', ');
  return Object.assign(new Error(`A redirect leads to ${hostname}, which is ${addresses}; it is not followed`), {
    code: 'ERR_REFUSED_ADDRESS',
  });
}
