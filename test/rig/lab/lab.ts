/**
 * A host with our package installed, a publisher, and one node (`demo`) whose releases are served on the host's loopback:
 * what the container tests of the transaction begin with. A second node (`other`) takes the same releases once it is
 * configured.
 */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Entry, LedgerRecord } from '../../../src/machine/record.ts';
import type { Outcome } from '../../../src/machine/state.ts';
import type { DataFormat } from '../../../src/manifest.ts';
import type { BootOptions, Container, Result } from '../container/container.ts';
import { bootInstalled } from '../container/installed.ts';
import { makePublisher, type Publisher } from '../publisher.ts';
import { makeTree, type Behaviour } from './tree.ts';

const SITE = '/srv/releases';
const PORT = 7000;

/** The ports that the daemon listens on. */
const PORTS = { demo: 8080, other: 8081 } as const;
type Node = keyof typeof PORTS;

export interface Lab extends AsyncDisposable {
  readonly host: Container;
  readonly publisher: Publisher;
  /** Publishes a version of the daemon that behaves so. */
  publish(version: string, behaviour?: Behaviour, data?: DataFormat): Promise<void>;
  /** Writes the node's configuration; `changes` replaces lines by key (`soak = "1s"`) or adds tables at the end. */
  configure(changes?: Changes, node?: Node): Promise<void>;
  /** `node-updater …`, whatever its status. */
  updater(...args: string[]): Promise<Result>;
  ledger(node?: Node): Promise<readonly LedgerRecord[]>;
  /** The last `ended` record. */
  lastEnd(node?: Node): Promise<Extract<Entry, { kind: 'ended' }> | undefined>;
  /** Waits until the ledger has `count` transactions that ended, and returns the outcome of the last one. */
  waitForEnd(count: number, node?: Node): Promise<Outcome>;
  facts(node?: Node): Promise<NodeFacts>;
}

export interface Changes {
  readonly soak?: string;
  readonly startTimeout?: string;
  readonly grace?: string;
  readonly type?: string;
  readonly more?: string;
  /** A line before the first table. */
  readonly top?: string;
  /** The daemon keeps data in /srv/demo, and it is backed up; lines of the [backup] table. */
  readonly data?: string;
  /** The unit is the operator's own: no [unit] table, and no probes unless `more` has some. */
  readonly unit?: 'own';
}

/** What must agree: link, running version, leftovers. */
export interface NodeFacts {
  readonly current: string;
  readonly fallback: string;
  readonly active: string;
  /** The version that answers on the daemon's port, or that its process runs from. */
  readonly running: string;
  readonly leftovers: string;
}

export interface LabOptions extends BootOptions {
  /** Adds to the tree of each release. */
  readonly fill?: (tree: string) => Promise<void>;
}

export async function makeLab({ fill, ...options }: LabOptions = {}): Promise<Lab> {
  const publisher = await makePublisher({ name: 'demo' });
  const host = await bootInstalled(options);
  await setUp(host, publisher);
  const lab = labOn(host, publisher, fill);
  await lab.configure();
  return lab;
}

async function setUp(host: Container, publisher: Publisher): Promise<void> {
  await host.push(join(import.meta.dirname, '..', 'http', 'static.ts'), '/srv/static.ts');
  await host.push(publisher.key.file, '/etc/node-updater/keys.d/demo.asc', 0o644);
  await host.push(Buffer.from(serverUnit), '/etc/systemd/system/releases.service', 0o644);
  await host.sh(`mkdir -p ${SITE}; useradd --system --no-create-home demo; systemctl enable --now releases.service`);
}

const serverUnit = `[Service]
ExecStart=/usr/lib/node-autoupdate/node /srv/static.ts ${SITE} ${PORT}
[Install]
WantedBy=multi-user.target
`;

function labOn(host: Container, publisher: Publisher, fill: LabOptions['fill']): Lab {
  const ledger = async (node: Node = 'demo'): Promise<LedgerRecord[]> => {
    // From within: a test may have mounted something there.
    const text = (await host.run(['cat', ledgerOf(node)])).stdout;
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LedgerRecord]));
  };
  const ends = async (node?: Node) =>
    (await ledger(node)).flatMap(({ entry }) => (entry.kind === 'ended' ? [entry] : []));
  return {
    host,
    publisher,
    ledger,
    lastEnd: async (node) => (await ends(node)).at(-1),
    async publish(version, behaviour = 'good', data = { epoch: 0, rollback: 'safe' }) {
      const tree = await makeTree(join(publisher.root, 'trees', version), version, behaviour);
      await writeFile(join(tree, 'share', 'epoch'), String(data.epoch));
      await fill?.(tree);
      await publisher.publish({ tree, version, libc: 'gnu', format: 'tar', binary: 'bin/demod', ...data });
      await mkdir(host.path(SITE), { recursive: true });
      await cp(publisher.site, host.path(SITE), { recursive: true, force: true });
    },
    configure: (changes = {}, node = 'demo') =>
      host.push(Buffer.from(nodeFile(publisher, node, changes)), `/etc/node-updater/nodes.d/${node}.toml`, 0o644),
    updater: (...args) => host.run(['node-updater', ...args], { timeout: 120 }),
    async waitForEnd(count, node = 'demo') {
      await host.waitFor(`[ "$(grep -c '"kind":"ended"' ${ledgerOf(node)})" -ge ${count} ]`);
      const last = (await ends(node)).at(-1);
      if (last === undefined) throw new Error('no transaction ended');
      return last.outcome;
    },
    facts: (node = 'demo') => readFacts(host, node),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      await publisher[Symbol.asyncDispose]();
    },
  };
}

function ledgerOf(node: Node): string {
  return `/var/lib/node-updater/${node}/ledger.jsonl`;
}

const factsScript = `
link() { readlink /opt/$node/$1 2>/dev/null | sed s,versions/,, || true; }
pid=$(systemctl show -P MainPID $node.service)
running=none
if [ "$pid" != 0 ]; then
  exe=$(tr '\\0' ' ' </proc/$pid/cmdline | grep -o 'versions/[^/]*' | head -n 1 | sed s,versions/,,)
  running=\${exe:-unknown}
fi
leftovers=$(ls -A /run/node-updater/$node 2>/dev/null | grep -v -e probe -e fetch -e backup | tr '\\n' ' ')
[ ! -e /run/systemd/system/$node.service.d/zzz-node-updater.conf ] || leftovers="$leftovers zzz"
leftovers="$leftovers$(ls -A /opt/$node /opt/$node/versions 2>/dev/null | grep -e staging -e '^\\.current' | tr '\\n' ' ')"
leftovers="$leftovers$(ls -A /var/lib/node-updater/$node/incoming 2>/dev/null | tr '\\n' ' ')"
printf '{"current":"%s","fallback":"%s","active":"%s","running":"%s","leftovers":"%s"}' \\
  "$(link current)" "$(link fallback)" "$(systemctl show -P ActiveState $node.service)" "$running" "$leftovers"
`;

async function readFacts(host: Container, node: Node): Promise<NodeFacts> {
  return JSON.parse(await host.sh(`node=${node}${factsScript}`)) as NodeFacts;
}

function nodeFile(publisher: Publisher, node: Node, changes: Changes): string {
  return `binary = "bin/demod"
${changes.top ?? ''}
[source]
name = "demo"
url = "http://127.0.0.1:${PORT}/manifest.json"
[trust]
keys = [{ file = "demo.asc", fingerprint = "${publisher.key.fingerprint}" }]
[version]
args = ["--version"]
pattern = "demod (\\\\S+)"
[gate]
soak = "${changes.soak ?? '2s'}"
start_timeout = "${changes.startTimeout ?? '10s'}"
interval = "200ms"
timeout = "1s"
grace = "${changes.grace ?? '3s'}"
failures = 3
${changes.unit === 'own' ? '' : generated(node, changes)}${changes.more ?? ''}
`;
}

function generated(node: Node, changes: Changes): string {
  return `[[gate.probe]]
type = "http"
url = "http://127.0.0.1:${PORTS[node]}/"
[unit]
exec = "bin/demod"
type = "${changes.type ?? 'simple'}"
user = "demo"
environment = { DEMOD_PORT = "${PORTS[node]}"${changes.data === undefined ? '' : ', DEMOD_DATA = "/srv/demo"'} }
stop_timeout = "3s"
restart_delay = "200ms"
${changes.data === undefined ? '' : `[backup]\npaths = "/srv/demo"\n${changes.data}\n`}`;
}
