/**
 * The machine that every test goes on from: prepared in a container, where all is fast (package by apt, first
 * installation, releases), then booted once in QEMU, and kept with its memory. Made once for each set of inputs.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { rootFileSystem } from '../container/container.ts';
import { installedLayer } from '../container/installed.ts';
import { mustRun } from '../container/process.ts';
import { makeLab, type Lab } from '../lab/lab.ts';
import { treeDigest } from '../power/disk-facts.ts';
import { DATA, treeOf } from '../proof/observe.ts';
import { startQemu, type Qemu } from './qemu.ts';

/** What is on offer in the machine once `offer` is called: a version that is good, and one that crashes after its start. */
export const OFFERS = { good: '2.0.0', bad: '3.0.0' } as const;
export type Offer = keyof typeof OFFERS;
export const INSTALLED = '1.0.0';

/** The files of a prepared machine. */
export const DISK = 'disk.raw';
export const STATE = 'state';
export const MADE = 'made.json';

/** What a test must know of the machine. */
export interface Made {
  /** The machine's time of day when it was kept. */
  readonly at: string;
  /** By version, as the checkers of test/rig/proof and test/rig/power want it. */
  readonly trees: Readonly<Record<string, string>>;
  readonly digests: Readonly<Record<string, string>>;
  /** The drop-in of the node's unit. */
  readonly dropIn: string;
}

const RIG = join(import.meta.dirname, '..');
/** All that decides what a machine is, beside the root file system and the package. */
const INPUTS = [
  'vm/agent*',
  'vm/prepared.ts',
  'vm/qemu.ts',
  'lab',
  'http/static.ts',
  'proof/observe.ts',
  'publisher.ts',
];

export async function prepared(): Promise<{ readonly directory: string; readonly kernel: string }> {
  const kernel = (await mustRun([join(import.meta.dirname, 'make-kernel')])).trim();
  const root = await rootFileSystem();
  const directory = join(root, '..', `machine-${await keyOf([basename(kernel), basename(await installedLayer())])}`);
  if (!(await readdir(join(root, '..'))).includes(basename(directory))) await prepare(directory, kernel);
  return { directory, kernel };
}

async function keyOf(names: readonly string[]): Promise<string> {
  const version = await mustRun(['qemu-system-x86_64', '--version']);
  const files = await mustRun([
    'sh',
    '-c',
    `cd '${RIG}' && find ${INPUTS.join(' ')} -type f ! -name agent.ts | LC_ALL=C sort | xargs sha256sum`,
  ]);
  const hash = createHash('sha256').update(version).update(files).update(names.join(' '));
  return hash.digest('hex').slice(0, 16);
}

async function prepare(directory: string, kernel: string): Promise<void> {
  const work = await mkdtemp(`${directory}.new-`);
  try {
    const made = await makeDisk(join(work, DISK));
    const at = new Date();
    await keepState(work, kernel, at);
    await writeFile(join(work, MADE), JSON.stringify({ ...made, at: at.toISOString() } satisfies Made));
    // Of two that made the same machine at once, the first one's stays.
    await rename(work, directory).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    });
    await mustRun(['sh', '-c', `exec '${RIG}/container/prune' 2 "$0"/machine-*`, join(directory, '..')]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function makeDisk(file: string): Promise<Omit<Made, 'at'>> {
  await using lab = await makeLab();
  await furnish(lab);
  const trees = await byVersion((version) => treeOf(treeIn(lab, version)));
  const digests = await byVersion((version) => Promise.resolve(treeDigest(treeIn(lab, version))));
  const dropIn = await lab.host.read('/etc/systemd/system/demo.service.d/50-node-updater.conf');
  await lab.host.powerOff();
  await mustRun(['mkfs.ext4', '-q', '-d', lab.host.path(''), file, '2G']);
  return { trees, digests, dropIn };
}

const treeIn = ({ publisher }: Lab, version: string): string => join(publisher.root, 'trees', version);

async function byVersion(make: (version: string) => Promise<string>): Promise<Record<string, string>> {
  const versions = [INSTALLED, ...Object.values(OFFERS)];
  return Object.fromEntries(
    await Promise.all(versions.map(async (version) => [version, await make(version)] as const)),
  );
}

/** Nothing of it is needed, and each costs a part of every boot. */
const SPARED = `e2scrub_reap.service e2scrub_all.timer fstrim.timer systemd-random-seed.service systemd-update-utmp.service
systemd-update-utmp-runlevel.service systemd-tmpfiles-clean.timer modprobe@.service systemd-logind.service systemd-user-sessions.service`;

const NODE_FILE = '/etc/node-updater/nodes.d/demo.toml';

/** Which release is on offer is where a link points to, out of the sight of those who look for changes. */
const arrange = `
mkdir -p ${DATA}; echo precious >${DATA}/state; chown -R demo: ${DATA}
rm -r /srv/releases /var/lib/node-updater/demo/check.json; ln -s none /srv/proof/offers/now; ln -s proof/offers/now /srv/releases
systemctl link -q /srv/proof/rig-agent.service; systemctl enable -q rig-agent.service
# Looks when it is started, and is started by the test.
mkdir -p /etc/systemd/system/node-updater.timer.d
printf '[Timer]\\nOnCalendar=\\nOnActiveSec=0\\nAccuracySec=1ms\\nRandomizedDelaySec=0\\nPersistent=no\\n' >/etc/systemd/system/node-updater.timer.d/rig.conf
systemctl disable -q --now node-updater.timer
for unit in ${SPARED.replaceAll('\n', ' ')}; do ln -sf /dev/null /etc/systemd/system/$unit; done
mkdir -p /etc/systemd/system-generators
for each in /usr/lib/systemd/system-generators/*; do ln -sf /dev/null "/etc/systemd/system-generators/\${each##*/}"; done
systemctl set-default -q multi-user.target`;

async function furnish(lab: Lab): Promise<void> {
  // An emulated machine is slow, and its health is not what is tested here.
  await lab.configure({ soak: '2s', startTimeout: '60s', grace: '60s', top: 'interval = "1min"' });
  await lab.host.sh(`sed -i 's/^timeout = .*/timeout = "20s"/; s/^interval = "200ms"/interval = "1s"/' ${NODE_FILE}`);
  await lab.publish(INSTALLED);
  const { status, stderr } = await lab.updater('upgrade');
  if (status !== 0) throw new Error(`the first installation failed: ${stderr}`);
  const keep = (offer: string) => `mkdir -p /srv/proof/offers; cp -a /srv/releases /srv/proof/offers/${offer}`;
  await lab.host.sh(keep('none'));
  for (const [offer, version] of Object.entries(OFFERS)) {
    await lab.publish(version, offer === 'bad' ? 'crash 300' : 'good');
    await lab.host.sh(keep(offer));
  }
  await lab.host.push(join(import.meta.dirname, 'agent'), '/srv/proof/agent', 0o755);
  await lab.host.push(join(import.meta.dirname, 'agent.service'), '/srv/proof/rig-agent.service');
  await lab.host.sh(arrange);
}

/** Boots the disk once, and keeps the memory of the machine at the moment at which the disk is left. */
async function keepState(work: string, kernel: string, clock: Date): Promise<void> {
  const disk = { file: join(work, DISK), format: 'raw' } as const;
  const qemu = startQemu({ kernel, disk, console: join(work, 'console'), clock });
  try {
    await warm(qemu);
    await qemu.keep(join(work, STATE));
  } finally {
    await qemu.kill();
  }
}

async function warm({ agent }: Qemu): Promise<void> {
  // As on a host that is up for long: what the updater reads is in the page cache.
  const script = `systemctl is-system-running --wait >/dev/null || true
    systemctl is-active --quiet demo.service releases.service
    node-updater status >/dev/null
    cat /usr/lib/node-autoupdate/*.mjs >/dev/null
    sync; touch /srv/proof/mark; sync`;
  const { status, stdout, stderr } = await agent({ script, timeout: 180 });
  if (status !== 0) throw new Error(`the machine does not do what it should after its boot:\n${stdout}${stderr}`);
}
