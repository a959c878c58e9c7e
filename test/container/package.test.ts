import { expect, it } from 'vitest';
import { bootContainer, type Container } from '../rig/container/container.ts';
import { bootInstalled, installPackage } from '../rig/container/installed.ts';

/** Every path on the disk that a package could have left; what apt and the journal keep about anything is not ours. */
async function filesOf(host: Container): Promise<readonly string[]> {
  const noise = [
    '/var/lib/dpkg',
    '/var/lib/apt',
    '/var/cache/apt',
    '/var/log',
    '/var/cache/ldconfig',
    '/var/lib/systemd/random-seed',
  ];
  const prune = noise.map((path) => `-path ${path}`).join(' -o ');
  return (
    await host.sh(`find / -xdev \\( ${prune} \\) -prune -o -print; find /run/systemd/system /run/node-updater || true`)
  )
    .split('\n')
    .sort();
}

it('installs by apt without a network: timer enabled and waiting, everything else at rest [S1.49] [S2.4] [S2.76]', async () => {
  await using host = await bootContainer();
  await installPackage(host);
  expect(await host.sh('systemctl is-enabled node-updater.timer; systemctl is-active node-updater.timer')).toBe(
    'enabled\nactive',
  );
  expect(await host.sh('systemctl show -P UnitFileState node-updater.service node-updater@x.service')).toBe(
    'static\n\nstatic',
  );
  expect(await host.sh('getent passwd node-updater node-updater-probe | cut -d: -f1,7')).toBe(
    'node-updater:/usr/sbin/nologin\nnode-updater-probe:/usr/sbin/nologin',
  );
  expect(await host.sh("stat -c '%a %U %G %n' /run/node-updater /var/lib/node-updater /var/cache/node-updater")).toBe(
    '2755 root node-updater /run/node-updater\n755 root root /var/lib/node-updater\n755 root root /var/cache/node-updater',
  );
  expect(await host.sh('ls -A /etc/node-updater')).toBe('conf.d\nkeys.d\nnode-updater.toml\nnodes.d');
  expect((await host.run(['pgrep', '-af', '^/usr/lib/node-autoupdate/'])).stdout).toBe('');
  expect(await host.sh('systemctl is-system-running')).toBe('running');
});

it('ships units that systemd has nothing to say about, and the manual page that they name', async () => {
  await using host = await bootInstalled();
  await host.push(Buffer.from('[Service]\nExecStart=sleep infinity\n'), '/etc/systemd/system/demo.service');
  const names = (await host.sh('cd /usr/lib/systemd/system; ls -d node-updater*')).split('\n');
  expect(names).toContain('node-updater@.service');
  const units = names.map((name) => name.replace('@.', '@demo.'));
  const said = await host.run(['systemd-analyze', 'verify', '--man=no', ...units]);
  expect(said).toEqual({ status: 0, stdout: '', stderr: '' });
  const pages = await host.sh('cd /usr/lib/systemd/system; grep -h ^Documentation= node-updater*.service | sort -u');
  expect(pages).toBe('Documentation=man:node-updater(1)');
  expect(await host.sh('dpkg -L node-autoupdate')).toContain('/usr/share/man/man1/node-updater.1.gz');
});

it('keeps the environment of a root shell out of its runtime', async () => {
  await using host = await bootInstalled();
  expect(await host.sh('/usr/lib/node-autoupdate/node --version')).toBe('v24.21.0');
  const poison = 'NODE_OPTIONS=--require=/none OPENSSL_CONF=/none NODE_PATH=/none SSL_CERT_FILE=/none';
  expect((await host.run(['sh', '-c', `env ${poison} /usr/lib/node-autoupdate/node -e 0`])).status).not.toBe(0);
  await host.sh(`env ${poison} node-updater --help`);
});

it('leaves nothing behind when it is purged but its users, and never touches /opt [S2.4]', async () => {
  await using host = await bootContainer();
  await host.sh('mkdir -p /opt/demo/versions/1; ln -s versions/1 /opt/demo/current');
  const before = await filesOf(host);
  await installPackage(host);
  await host.sh(`
    touch /etc/node-updater/nodes.d/demo.toml /var/lib/systemd/timers/stamp-node-updater.timer
    mkdir -p /var/lib/node-updater/demo /var/cache/node-updater/demo /run/node-updater/demo
    mkdir -p /etc/systemd/system/demo.service.d
    touch /var/lib/node-updater/demo/ledger.jsonl /etc/systemd/system/demo.service.d/50-node-updater.conf`);
  await host.sh('apt-get purge --yes --quiet node-autoupdate', { timeout: 120 });
  // systemd-sysusers keeps a lock file, and the copies that it makes of the user database.
  const users = /^\/etc\/(\.pwd\.lock|(passwd|group|shadow|gshadow)-?)$/;
  const after = (await filesOf(host)).filter((path) => !users.test(path));
  expect(after).toEqual(before.filter((path) => !users.test(path)));
  expect(await host.sh('getent passwd node-updater | cut -d: -f1; systemctl is-system-running')).toBe(
    'node-updater\nrunning',
  );
});

it('keeps the backups of data when it is purged, and says where they are', async () => {
  await using host = await bootInstalled();
  await host.sh(`install -d -m 700 /var/lib/node-updater/demo/backups/one /var/lib/node-updater/other/backups
    touch /var/lib/node-updater/demo/ledger.jsonl /var/lib/node-updater/demo/backups/one/data`);
  const said = await host.sh('apt-get purge --yes --quiet node-autoupdate', { timeout: 120 });
  expect(said).toContain('Backups of data are kept: /var/lib/node-updater/demo/backups');
  expect(await host.sh('find /var/lib/node-updater -type f -o -type d -empty')).toBe(
    '/var/lib/node-updater/demo/backups/one/data',
  );
});

it('refuses to be removed while data is being put back, and says how it is waited for', async () => {
  await using host = await bootInstalled();
  await host.sh('mkdir /var/lib/node-updater/demo; touch /var/lib/node-updater/demo/restoring');
  const refused = await host.run(['apt-get', 'remove', '--yes', '--quiet', 'node-autoupdate'], { timeout: 120 });
  expect(refused.status).not.toBe(0);
  expect(refused.stdout + refused.stderr).toContain('systemctl start node-updater@demo.service');
  expect(await host.sh('systemctl is-active node-updater.timer')).toBe('active');
  await host.sh('rm /var/lib/node-updater/demo/restoring; apt-get remove --yes --quiet node-autoupdate', {
    timeout: 120,
  });
});

it('refuses to be removed also where data begins to be put back while it stops the transactions', async () => {
  await using host = await bootInstalled();
  const script = 'until [ -e /run/systemd/system/node-updater@.service ]; do sleep 0.01; done; touch $1/restoring';
  await host.push(Buffer.from(script), '/root/begin', 0o755);
  await host.sh('mkdir /var/lib/node-updater/demo; systemd-run --quiet sh /root/begin /var/lib/node-updater/demo');
  const refused = await host.run(['apt-get', 'remove', '--yes', '--quiet', 'node-autoupdate'], { timeout: 120 });
  expect(refused.status).not.toBe(0);
  expect(refused.stdout + refused.stderr).toContain('systemctl start node-updater@demo.service');
  // Of a node without a file it ends at once.
  await host.waitFor('[ "$(systemctl show -P Result node-updater@demo.service)" = exit-code ]');
});

/** A node in the middle of its soak: version 2 runs on probation, `fallback` names version 1. */
async function nodeOnProbation(host: Container): Promise<void> {
  await host.sh(`
    for version in 1 2; do
      mkdir -p /opt/demo/versions/$version
      printf '#!/bin/sh\\necho version %s\\nexec sleep infinity\\n' $version >/opt/demo/versions/$version/run
      chmod +x /opt/demo/versions/$version/run
    done
    ln -s versions/2 /opt/demo/current
    ln -s versions/1 /opt/demo/fallback
    printf '[Service]\\nExecStart=/opt/demo/current/run\\n' >/etc/systemd/system/demo.service
    mkdir -p /run/systemd/system/demo.service.d /run/node-updater/demo
    printf '[Service]\\nRestart=always\\n' >/run/systemd/system/demo.service.d/zzz-node-updater.conf
    touch /run/node-updater/demo/open
    systemctl daemon-reload
    systemctl start demo.service`);
  await host.waitForJournal(/^version 2$/);
}

it('puts a node in its soak back to its committed version before it lets itself be removed [F122] [P46]', async () => {
  await using host = await bootInstalled();
  await nodeOnProbation(host);
  await host.sh('apt-get remove --yes --quiet node-autoupdate', { timeout: 120 });
  await host.waitForJournal(/^version 1$/);
  expect(await host.sh('readlink /opt/demo/current; ls /opt/demo; systemctl is-active demo.service')).toBe(
    'versions/1\ncurrent\nversions\nactive',
  );
  expect(await host.sh('ls /run/systemd/system')).not.toContain('node-updater');
});

it('refuses to be removed while a node cannot be put back, says how to go on, and then works as before [F122]', async () => {
  await using host = await bootInstalled();
  await nodeOnProbation(host);
  await host.sh('rm -r /opt/demo/versions/1');
  const refused = await host.run(['apt-get', 'remove', '--yes', '--quiet', 'node-autoupdate'], { timeout: 120 });
  expect(refused.status).not.toBe(0);
  expect(refused.stdout + refused.stderr).toContain('rm /opt/demo/fallback');
  expect(await host.sh('readlink /opt/demo/current; systemctl is-active demo.service')).toBe('versions/2\nactive');
  expect(await host.sh('systemctl show -P LoadState node-updater@demo.service')).toBe('loaded');
  expect(await host.sh('systemctl is-active node-updater.timer')).toBe('active');
  await host.sh('rm /opt/demo/fallback; apt-get remove --yes --quiet node-autoupdate', { timeout: 120 });
});
