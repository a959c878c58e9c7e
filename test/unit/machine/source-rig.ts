/**
 * A host that looks at real mirrors: HTTP servers on 127.0.0.1, the real fetch room (run in this process where systemd
 * would start its unit) and a real gpgv, in a temporary directory.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseFetchOrder } from '../../../src/fetch/order.ts';
import { runFetchRoom } from '../../../src/fetch/room.ts';
import { durableFiles } from '../../../src/host/files.ts';
import type { SystemBus } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import { check, type Checked } from '../../../src/machine/check.ts';
import type { MachineContext } from '../../../src/machine/context.ts';
import type { Ledger } from '../../../src/machine/ledger.ts';
import { readCheckState, type CheckState } from '../../../src/machine/state-files.ts';
import type { NodeName } from '../../../src/release.ts';
import type { TrustSettings } from '../../../src/settings.ts';
import { startServer, type TestServer } from '../../rig/http/server.ts';
import { staticFiles } from '../../rig/http/static.ts';
import { SETTINGS } from '../fetch/helpers.ts';
import type { MadeKey } from '../trust/key-chain.ts';
import { scratch } from '../trust/support.ts';

export interface Rig extends AsyncDisposable {
  readonly layout: NodeLayout;
  readonly logged: readonly { readonly level: string; readonly message: string; readonly id?: string }[];
  /** How often the fetch room was started. */
  readonly orders: () => number;
  /** A mirror is a directory; `put` gives it a file, at a path below its root. */
  mirror(): Promise<Mirror>;
  /** What a step of a transaction with these mirrors is given. */
  context(mirrors: readonly Mirror[], trust: TrustSettings): MachineContext;
  look(mirrors: readonly Mirror[], trust: TrustSettings, at?: Partial<MachineContext>): Promise<Checked>;
  remembered(): Promise<CheckState | undefined>;
  /** The operator's trust section for these keys, whose files are put into keys.d. */
  trust(keys: readonly MadeKey[], threshold?: number, keySet?: number): Promise<TrustSettings>;
}

export interface Mirror {
  readonly url: string;
  readonly server: TestServer;
  put(path: string, bytes: string | Uint8Array): Promise<void>;
}

export async function makeRig(): Promise<Rig> {
  const place = await scratch();
  const layout = layoutAt(place.path);
  const node = layout.node('demo' as NodeName);
  for (const path of [node.cache, node.run, node.state, node.versions, layout.keys])
    await mkdir(path, { recursive: true });
  await mkdir(node.incoming, { mode: 0o700 });
  const servers: TestServer[] = [];
  const logged: { level: string; message: string; id?: string }[] = [];
  let orders = 0;
  const log = logTo(logged);
  const bus = busThatFetches(node, log, () => orders++);
  const contextWith: Rig['context'] = (mirrors, trust) => {
    const source = { type: 'manifest', urls: mirrors.map(({ url }) => url), name: 'demo', channel: 'stable' };
    const settings = { node: 'demo', source: { ...source, insecureHttp: false }, trust };
    return { ...contextOf(node, bus, log), settings } as unknown as MachineContext;
  };
  return {
    layout: node,
    logged,
    orders: () => orders,
    mirror: async () => {
      const directory = join(place.path, `mirror-${servers.length}`);
      const server = await startServer(staticFiles(directory));
      servers.push(server);
      const put = async (path: string, bytes: string | Uint8Array): Promise<void> => {
        await mkdir(dirname(join(directory, path)), { recursive: true });
        await writeFile(join(directory, path), bytes);
      };
      return { url: `${server.origin}/manifest.json`, server, put };
    },
    context: contextWith,
    look: (mirrors, trust, at = {}) => {
      const context = { ...contextWith(mirrors, trust), ...at };
      return check({ force: [] }, { records: [] } as unknown as Ledger, context);
    },
    remembered: () => readCheckState(node),
    trust: async (keys, threshold = 1, keySet = 1) => {
      const files = keys.map(({ user }) => join(layout.keys, `${user}.asc`));
      for (const [index, file] of files.entries()) await writeFile(file, keys[index]?.armoured ?? '', { mode: 0o644 });
      const trusted = keys.map(({ certificate }, index) => ({
        file: files[index] ?? '',
        fingerprint: certificate.fingerprint,
      }));
      return { keySet, threshold, keys: trusted };
    },
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) await server[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

function logTo(logged: { level: string; message: string; id?: string }[]): MachineContext['log'] {
  const at = (level: string) => (message: string) => void logged.push({ level, message });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    milestone: (id, message) => {
      logged.push({ level: 'milestone', message, id });
      return Promise.resolve();
    },
  };
}

const clock: MachineContext['clock'] = {
  now: () => Date.now(),
  monotonic: () => process.hrtime.bigint() / 1000n,
  bootId: 'boot',
  wait: () => Promise.resolve(),
};

function busThatFetches(node: NodeLayout, log: MachineContext['log'], started: () => void): Partial<SystemBus> {
  return {
    start: async () => {
      started();
      const order = parseFetchOrder(await readFile(node.fetchOrder, 'utf8'));
      const deps = { clock, files: durableFiles(run), log, random: () => 0.5, version: '0.0.0', environment: {} };
      const exit = await runFetchRoom(order, node.cache, { ...deps, signal: new AbortController().signal });
      return exit === 0 ? 'done' : 'failed';
    },
  };
}

function contextOf(node: NodeLayout, bus: Partial<SystemBus>, log: MachineContext['log']): Partial<MachineContext> {
  return {
    layout: node,
    unit: 'demo.service',
    files: durableFiles(run),
    clock,
    bus: bus as SystemBus,
    run,
    log,
    heartbeat: { beat: () => undefined, status: () => undefined, during: (waited) => waited },
    global: { heartbeatTimeout: 60_000, logLevel: 'info', fetch: SETTINGS },
    machineId: '0'.repeat(32),
    arch: 'amd64',
    buildTime: 0,
    beingStopped: () => Promise.resolve(false),
  };
}

const DAY = 24 * 3_600_000;

/** A manifest's text; times are days from now. */
export function manifestOf(serial: number, changes: object = {}, published = 0, expires = 90): string {
  const iso = (days: number) => new Date(Date.now() + days * DAY).toISOString();
  const artifact = {
    os: 'linux',
    arch: 'amd64',
    libc: 'gnu',
    url: ['demo.tar'],
    size: 1,
    unpacked_size: 1,
    entries: 1,
    sha256: 'a'.repeat(64),
    signature: 'demo.tar.asc',
  };
  const facts = { severity: 'routine', epoch: 0, rollback: 'safe', artifacts: [artifact] };
  return JSON.stringify({
    schema: 1,
    name: 'demo',
    channel: 'stable',
    serial,
    published: iso(published),
    expires: iso(expires),
    suggested: '1.0.0',
    releases: [{ version: '1.0.0', published: iso(published), ...facts }],
    ...changes,
  });
}
