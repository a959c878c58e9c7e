/**
 * The HTTP client: sole importer of undici in the fetch room.
 *
 * Threat: a redirect to a name that resolves into the host's own network (F013). What a name resolves to is known only
 * here, at connect, so it is judged here. Behind a proxy the proxy resolves, and its rules hold.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { TLSSocket } from 'node:tls';
import type { Dispatcher } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { isWithin, kindOfAddress, kindOfHost, type AddressKind, type Reach } from './address.ts';
import { exchange, type Reply } from './exchange.ts';
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
  const pools = new Map<Reach, Promise<Dispatcher>>();
  const poolFor = (reach: Reach): Promise<Dispatcher> => {
    const pool = pools.get(reach) ?? makePool(settings, deps.environment, connector(settings, reach, seen));
    pools.set(reach, pool);
    return pool;
  };
  return {
    get: async (hop, headers, signal) => {
      const { origin, pathname, search } = hop.url;
      const usual = { 'user-agent': `node-updater/${deps.version}`, 'accept-encoding': 'identity', accept: '*/*' };
      const options = { origin, path: pathname + search, method: 'GET' as const, headers: { ...usual, ...headers } };
      return exchange(await poolFor(hop.reach), options, deps.clock, signal);
    },
    kindOf: (hostname) => kindOfHost(hostname) ?? seen.kinds.get(hostname) ?? 'public',
    certificate: (hostname) => seen.certificates.get(hostname),
    [Symbol.asyncDispose]: async () => {
      // Not close(): a body that was given up must not hold the end of the process.
      await Promise.all([...pools.values()].map(async (pool) => (await pool).destroy()));
    },
  };
}

async function makePool(
  settings: FetchSettings,
  environment: FetchDeps['environment'],
  connect: buildConnector.connector,
): Promise<Dispatcher> {
  const options: Agent.Options = {
    connect,
    allowH2: false,
    connections: 2,
    pipelining: 1,
    headersTimeout: settings.headersTimeout,
    // Silence for the whole window is below any minimum speed; slower drips are seen by our own meter (speed.ts).
    bodyTimeout: settings.slowWindow,
  };
  const named = (name: string): string | undefined => environment[name] ?? environment[name.toUpperCase()];
  const [httpProxy, httpsProxy] = [named('http_proxy') ?? '', named('https_proxy') ?? ''];
  if (httpProxy === '' && httpsProxy === '') return new Agent(options);
  const { default: EnvHttpProxyAgent } = await import('undici/lib/dispatcher/env-http-proxy-agent.js');
  return new EnvHttpProxyAgent({
    ...options,
    connectTimeout: settings.connectTimeout,
    httpProxy,
    httpsProxy,
    noProxy: named('no_proxy') ?? '',
  });
}

function connector(settings: FetchSettings, reach: Reach, seen: Seen): buildConnector.connector {
  // Its type says nothing is returned; the socket is. Were it not, a message would lack a date.
  const connect: (...args: Parameters<buildConnector.connector>) => unknown = buildConnector({
    allowH2: false,
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
