/** A booted host on a real disk, with our package, one node, and a publisher whose releases it takes. */
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bootInstalled } from '../../test/rig/container/installed.ts';
import type { Container } from '../../test/rig/container/container.ts';
import { makeTree } from '../../test/rig/lab/tree.ts';
import { makePublisher, type Publisher } from '../../test/rig/publisher.ts';

export const NODE = '/usr/lib/node-autoupdate/node';
export const DAEMON_PORT = 8080;
const SITE = '/srv/releases';
const SITE_PORT = 7000;
const UNITS = ['node-updater@', 'node-updater-fetch@', 'node-updater-probe@'];

export interface BenchHost extends AsyncDisposable {
  readonly host: Container;
  /** Publishes a release of the lab's daemon. */
  readonly publish: (version: string) => Promise<void>;
  /** `node-updater upgrade`, to its end. */
  readonly upgrade: () => Promise<void>;
}

export async function openHost(): Promise<BenchHost> {
  await using stack = new AsyncDisposableStack();
  const publisher = stack.use(await makePublisher({ name: 'demo' }));
  const host = stack.use(await bootInstalled({ storage: 'disk' }));
  await setUp(host, publisher);
  const all = stack.move();
  return {
    host,
    publish: async (version) => {
      const tree = await makeTree(join(publisher.root, 'trees', version), version, 'good');
      await publisher.publish({ tree, version, libc: 'gnu', format: 'tar', binary: 'bin/demod' });
      await mkdir(host.path(SITE), { recursive: true });
      await cp(publisher.site, host.path(SITE), { recursive: true, force: true });
    },
    upgrade: async () => {
      await host.sh('node-updater upgrade', { timeout: 120 });
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function setUp(host: Container, publisher: Publisher): Promise<void> {
  const rig = join(import.meta.dirname, '../../test/rig');
  await host.push(join(rig, 'http/static.ts'), '/srv/static.ts');
  for (const name of ['gaps.mjs', 'alternate.mjs', 'peak.mjs']) {
    await host.push(join(import.meta.dirname, 'inside', name), `/srv/${name}`);
  }
  await host.push(publisher.key.file, '/etc/node-updater/keys.d/demo.asc');
  await host.push(Buffer.from(serverUnit), '/etc/systemd/system/releases.service');
  await host.push(Buffer.from(nodeFile(publisher.key.fingerprint)), '/etc/node-updater/nodes.d/demo.toml');
  const dropIn = Buffer.from('[Service]\nEnvironment=NODE_OPTIONS=--import=/srv/peak.mjs\n');
  for (const unit of UNITS) await host.push(dropIn, `/etc/systemd/system/${unit}.service.d/bench.conf`);
  await host.sh(
    `mkdir -p ${SITE}; useradd --system --no-create-home demo; systemctl daemon-reload; systemctl enable --now releases.service`,
  );
}

const serverUnit = `[Service]
ExecStart=${NODE} /srv/static.ts ${SITE} ${String(SITE_PORT)}
[Install]
WantedBy=multi-user.target
`;

function nodeFile(fingerprint: string): string {
  return `binary = "bin/demod"
[source]
url = "http://127.0.0.1:${String(SITE_PORT)}/manifest.json"
[trust]
keys = [{ file = "demo.asc", fingerprint = "${fingerprint}" }]
[version]
args = ["--version"]
pattern = "demod (\\\\S+)"
[gate]
soak = "1s"
start_timeout = "10s"
interval = "200ms"
timeout = "1s"
grace = "1s"
failures = 3
[[gate.probe]]
type = "http"
url = "http://127.0.0.1:${String(DAEMON_PORT)}/"
[unit]
exec = "bin/demod"
type = "simple"
user = "demo"
stop_timeout = "3s"
restart_delay = "200ms"
`;
}
