/** Acts in which all goes well: a publisher's first release, the installation, and an unattended update. */
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { builtPackage } from '../container/installed.ts';
import { furnish, NODE_URL, SITE_PORT } from './host.ts';
import { claimRuns, now, publish, sayOutages, type Program, type Stage } from './stage.ts';

/** How often the node is due, and how much earlier than that a run takes it, in milliseconds (src/cli/due.ts). */
const INTERVAL = 60_000;
const SLACK = 6_000;

export async function firstRelease(stage: Stage, program: Program): Promise<string> {
  const { screen, desk, host } = stage;
  screen.heading('A publisher signs a release; what comes out is files for any web server');
  const script = join(desk.directory, 'release.sh');
  await writeFile(script, releaseScript);
  await chmod(script, 0o755);
  await desk.type("gpg --quiet --batch --passphrase '' --quick-generate-key releases@example.org ed25519 sign never");
  const { output } = await desk.type('gpg --quiet --with-colons --list-keys releases@example.org | grep ^fpr');
  const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(output)?.[1] ?? '';
  await desk.type('mkdir site && gpg --armor --export releases@example.org >site/workerd.asc');
  await desk.type('cat release.sh');
  await furnish(host);
  await publish(stage, program, program.version);
  await desk.type(`node-updater release verify site --key site/workerd.asc=${fingerprint}`);
  return fingerprint;
}

const releaseScript = `#!/bin/sh
# release.sh VERSION: builds, signs and publishes what is in trees/VERSION
set -eu
node-updater release build "trees/$1" --name workerd --version "$1" --binary bin/workerd --level 1 --out built
node-updater release sign built/workerd-"$1"-*.tar.zst --local-user releases@example.org
node-updater release publish site built/workerd-"$1"-*.release.json --local-user releases@example.org
cp -au site/. "$CDN"
`;

export async function install(stage: Stage, version: string, fingerprint: string): Promise<void> {
  const { screen, host } = stage;
  screen.heading('An operator installs the package, writes one file, and installs the node');
  const deb = await builtPackage();
  await cp(deb, host.container.path(`/root/${basename(deb)}`));
  const apt = await host.type(`DEBIAN_FRONTEND=noninteractive apt install --yes ./${basename(deb)}`);
  screen.claim('apt has installed it, without a network', apt.status === 0);
  // The publisher's web server runs on the Node of the package, because the host has no other.
  await host.container.sh('systemctl enable --quiet --now releases.service');
  await host.container.waitFor(`curl --silent --fail http://127.0.0.1:${String(SITE_PORT)}/workerd.asc`);
  await host.type('useradd --system --no-create-home workerd');
  await host.type(
    `curl --silent --output /etc/node-updater/keys.d/workerd.asc http://127.0.0.1:${String(SITE_PORT)}/workerd.asc`,
  );
  await host.container.push(Buffer.from(nodeFile(fingerprint)), '/etc/node-updater/nodes.d/workerd.toml');
  await host.type('cat /etc/node-updater/nodes.d/workerd.toml');
  const config = await host.type('node-updater config --check');
  screen.claim('the configuration is right', config.status === 0);
  const upgrade = await host.type('node-updater upgrade workerd');
  screen.claim('the first installation is committed', upgrade.status === 0);
  await claimRuns(stage, version);
  host.watch();
}

function nodeFile(fingerprint: string): string {
  return `binary = "bin/workerd"
interval = "1min"  # the default is an hour; a demo is short

[source]
url = "http://127.0.0.1:${String(SITE_PORT)}/manifest.json"

[trust]
keys = [{ file = "workerd.asc", fingerprint = "${fingerprint}" }]

[version]
pattern = 'workerd (\\S+)'

[gate]
soak = "8s"        # the default is a minute
interval = "500ms"
timeout = "1s"
grace = "2s"

[[gate.probe]]
type = "http"
url = "${NODE_URL}"

[unit]
exec = "bin/workerd serve /opt/workerd/current/share/config.capnp"
user = "workerd"
stop_timeout = "2s"
`;
}

export async function timerRun(stage: Stage, program: Program): Promise<void> {
  const { screen, host } = stage;
  screen.heading('A newer release: the timer finds it, and nobody is there');
  await mkdir(join(stage.desk.directory, 'trees'), { recursive: true });
  await publish(stage, program, program.version);
  await host.type('systemctl list-timers node-updater.timer --no-pager --no-legend');
  await untilDue(stage);
  const since = now();
  screen.say('The timer starts this unit once an hour. Now we do, just as it does:');
  await host.type('systemctl start node-updater.service');
  const ended = await host.waitForEnd(2);
  await host.type(
    `journalctl --no-pager --no-hostname --since '${since}' -u node-updater.service -u node-updater@workerd.service`,
  );
  screen.claim(`${program.version} is committed, and nobody typed anything`, ended.outcome === 'committed');
  await claimRuns(stage, program.version);
  await sayOutages(stage);
  const before = await restartOutage(stage);
  screen.say(`For comparison, a plain \`systemctl restart workerd\`: ${String(before)} ms.`);
}

async function untilDue({ screen, host }: Stage): Promise<void> {
  const seen = await host.container.sh('stat -c %Y /var/lib/node-updater/workerd/check.json');
  const wait = Number(seen) * 1000 + INTERVAL - SLACK + 2_000 - Date.now();
  if (wait <= 0) return;
  screen.say(`The node was looked at less than a minute ago; it is due again in ${String(Math.ceil(wait / 1000))} s.`);
  await delay(wait);
}

async function restartOutage({ host }: Stage): Promise<number> {
  await host.container.sh('systemctl restart workerd.service');
  return Math.max(0, ...(await host.outages()).map(({ milliseconds }) => milliseconds));
}
