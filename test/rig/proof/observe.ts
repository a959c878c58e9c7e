/** What there is to see of a node and its host, all at once: what the invariants are asked of. */
import type { Container } from '../container/container.ts';
import { mustRun } from '../container/process.ts';

export interface Observation {
  /** The text of the link; '' when there is none; what stands there instead, when it is no link. */
  readonly current: string;
  readonly fallback: string;
  /** What is in each directory under `versions`, by name, as `treeOf` writes it. */
  readonly versions: ReadonlyMap<string, string>;
  readonly ledger: string;
  readonly trust: string;
  /** The node's data, as `treeOf` writes it. */
  readonly data: string;
  /** Paths outside of what node-updater manages that have changed since `mark`. */
  readonly outside: readonly string[];
  readonly unit: UnitSeen;
  /** Temporary files, staging, marks, drop-in, copies, a reload that was forgotten. */
  readonly leftovers: readonly string[];
}

export interface UnitSeen {
  readonly activeState: string;
  /** The version whose files the main process runs from; '' for none. */
  readonly running: string;
}

export const DATA = '/srv/demo-data';

/** Types, modes, names and link targets, then the digest of each file. */
const tree =
  'find . -mindepth 1 -printf "%y %m %P %l\\n" | LC_ALL=C sort; find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2';

/** Where /etc and the like may change: what is ours for this node, and what the host itself writes at any time. */
const MANAGED = [
  '/opt/demo',
  '/var/lib/node-updater/demo',
  '/var/cache/node-updater/demo',
  '/etc/systemd/system/demo.service',
  '/etc/systemd/system/demo.service.d',
  '/etc/systemd/system/node-updater-probe@demo.service.d',
  '/etc/systemd/system/multi-user.target.wants/demo.service',
  // Written, and not renamed yet: told as what is left over.
  '/etc/systemd/system/.demo.service.*',
];
/** Directories that get a new time when these come and go. */
const ABOVE_THEM = [
  '/etc/systemd/system',
  '/etc/systemd/system/multi-user.target.wants',
  '/opt',
  '/var/lib/node-updater',
  '/var/cache/node-updater',
];
const ELSEWHERE = ['/proc', '/sys', '/dev', '/run', '/tmp', '/var/tmp', '/var/log', '/var/lib/systemd', '/srv/proof'];

const section = (name: string, script: string) => `printf '\\n=%s\\n' '${name}'; ${script}\n`;

const link = (path: string) =>
  `if [ -L ${path} ]; then readlink ${path}; elif [ -e ${path} ]; then echo "no link: $(stat -c %F ${path})"; fi`;

const script = [
  section('current', link('/opt/demo/current')),
  section('fallback', link('/opt/demo/fallback')),
  section('ledger', 'cat /var/lib/node-updater/demo/ledger.jsonl 2>/dev/null || true'),
  section('trust', 'cat /var/lib/node-updater/demo/trust.json 2>/dev/null || true'),
  section('data', `cd ${DATA} && { ${tree}; }`),
  section(
    'outside',
    `find / ${[...ELSEWHERE, ...MANAGED].map((path) => `-path '${path}' -prune -o`).join(' ')} ` +
      `-cnewer /srv/proof/mark ${ABOVE_THEM.map((path) => `! -path ${path}`).join(' ')} -print`,
  ),
  section(
    'unit',
    `systemctl show -P ActiveState demo.service; pid=$(systemctl show -P MainPID demo.service);
    [ "$pid" = 0 ] || tr '\\0' ' ' </proc/$pid/cmdline | grep -o 'versions/[^/]*' | head -n 1 | sed s,versions/,,`,
  ),
  section(
    'leftovers',
    `cd /
    ls -A /run/node-updater/demo 2>/dev/null | grep -vxE 'probe.json|probe-report.jsonl|fetch.json' | sed 's,^,/run/node-updater/demo/,'
    ls -d /run/systemd/system/demo.service.d/zzz-node-updater.conf 2>/dev/null
    find /opt/demo /var/lib/node-updater/demo -name '.*' ! -name '.*.complete' ! -name '.*.files' 2>/dev/null
    find /var/lib/node-updater/demo/incoming -mindepth 1 2>/dev/null
    for record in /opt/demo/versions/.*.complete /opt/demo/versions/.*.files; do
      version=\${record##*/.}; version=\${version%.*}
      [ ! -e "$record" ] || [ -d "/opt/demo/versions/$version" ] || echo "$record"
    done
    for version in /opt/demo/versions/[!.]*; do
      [ ! -d "$version" ] || [ -e "/opt/demo/versions/.\${version##*/}.files" ] || echo "$version without its listing"
    done
    find /etc/systemd/system -name '.*' 2>/dev/null
    [ "$(systemctl show -P NeedDaemonReload demo.service)" != yes ] || echo 'a reload of systemd'
    true`,
  ),
  section(
    'versions',
    `cd /opt/demo/versions 2>/dev/null && for v in [!.]*; do [ -d "$v" ] || continue; printf '\\n-%s\\n' "$v"; (cd "$v" && { ${tree}; }); done; true`,
  ),
].join('');

/** A host that is looked at: a lab's, or another that can run commands. */
export interface Seen {
  readonly host: Pick<Container, 'run' | 'sh'>;
}

/** From now on what changes outside of the managed directories is seen. */
export async function mark(lab: Seen): Promise<void> {
  // Times are coarser than the calls that follow this one.
  await lab.host.sh('touch /srv/proof/mark; sleep 0.02');
}

export async function observe(lab: Seen): Promise<Observation> {
  const { stdout } = await lab.host.run(['sh', '-c', script]);
  const parts = new Map(
    stdout
      .split(/^=(?=[a-z]+$)/m)
      .slice(1)
      .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1).replace(/\n$/, '')]),
  );
  const text = (name: string): string => parts.get(name)?.trimEnd() ?? '';
  const lines = (name: string): string[] =>
    text(name)
      .split('\n')
      .filter((line) => line !== '');
  const [activeState = '', running = ''] = lines('unit');
  return {
    current: text('current'),
    fallback: text('fallback'),
    ledger: parts.get('ledger') ?? '',
    trust: text('trust'),
    data: text('data'),
    outside: lines('outside'),
    unit: { activeState, running },
    leftovers: lines('leftovers'),
    versions: versionsIn(parts.get('versions') ?? ''),
  };
}

function versionsIn(text: string): Map<string, string> {
  return new Map(
    text
      .split(/^-(?=[\w.+-]+$)/m)
      .slice(1)
      .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1).trimEnd()]),
  );
}

/** What a version's directory must look like: the publisher's own tree. */
export async function treeOf(directory: string): Promise<string> {
  return (await mustRun(['sh', '-c', `cd '${directory}' && { ${tree}; }`])).trimEnd();
}
