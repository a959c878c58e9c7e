/**
 * systemd is reloaded while a transaction runs for longer than its unit's own limit: by ourselves, by another node's
 * transaction, by any package that is installed meanwhile.
 */
import { describe, expect, it } from 'vitest';
import { bootInstalled } from '../rig/container/installed.ts';
import { makeInstalled } from '../rig/lab/installed.ts';

const SOAK = 40;
const LIMIT = 20;
const ROOM = 'node-updater-backup@demo.service';

it('a transaction that has outlived the limit of its unit goes on when systemd is reloaded, and commits [S1.36]', async () => {
  await using lab = await makeInstalled({ soak: '1s' });
  await lab.configure({ soak: `${SOAK}s` });
  await lab.host.push(Buffer.from('heartbeat_timeout = "30s"\n'), '/etc/node-updater/conf.d/10-test.toml', 0o644);
  await lab.host.push(
    Buffer.from(`[Service]\nTimeoutStartSec=${LIMIT}s\n`),
    '/etc/systemd/system/node-updater@.service.d/test.conf',
    0o644,
  );
  await lab.host.sh('systemctl daemon-reload');
  await lab.publish('2.0.0');
  await lab.updater('upgrade', '--no-wait');
  const began = 'systemctl show -P InactiveExitTimestampMonotonic node-updater@demo.service';
  await lab.host.waitFor(`[ $(cut -d . -f 1 /proc/uptime) -gt $(($(${began}) / 1000000 + ${LIMIT + 2})) ]`);
  await lab.host.sh('systemctl daemon-reload');
  expect(await lab.waitForEnd(2)).toBe('committed');
  // Its own reload, once the probation is over, comes later still.
  expect((await lab.ledger()).filter(({ entry }) => 'state' in entry && entry.state === 'settle')).toEqual([]);
  await lab.host.waitFor('[ "$(systemctl show -P ActiveState node-updater@demo.service)" = inactive ]');
  expect(await lab.host.sh('ls -A /run/systemd/system/node-updater@demo.service.d')).toBe('');
});

describe('a backup room that has outlived the limit of its unit', () => {
  it('goes on when systemd is reloaded, and answers [S1.36]', async () => {
    await using host = await bootInstalled();
    await host.sh('mkdir -p /srv/demo /backup; cd /srv/demo; seq 1 20000 | xargs touch');
    await host.push(
      Buffer.from('[Service]\nTimeoutStartSec=5s\n'),
      '/etc/systemd/system/node-updater-backup@.service.d/test.conf',
      0o644,
    );
    const settings = {
      paths: ['/srv/demo'],
      exclude: [],
      neverRestore: [],
      directory: '/backup',
      keep: 1,
      method: 'copy',
    };
    const order = { schema: 1, id: 'o1', kind: 'create', reason: 'test', settings };
    await host.push(Buffer.from(JSON.stringify(order)), '/run/node-updater/demo/backup.json', 0o600);
    // The room belongs to a transaction, and would start one. Stopped while it copies, long after its first beat, it is as
    // slow as a disk of terabytes.
    await host.sh(`systemctl daemon-reload
systemctl start --no-block --job-mode=ignore-dependencies ${ROOM}
timeout 60 sh -c 'until [ "$(find /backup -type f | wc -l)" -gt 1000 ]; do :; done'
systemctl kill --signal=STOP ${ROOM}`);
    const began = `systemctl show -P InactiveExitTimestampMonotonic ${ROOM}`;
    await host.waitFor(`[ $(cut -d . -f 1 /proc/uptime) -gt $(($(${began}) / 1000000 + 7)) ]`);
    await host.sh(`systemctl daemon-reload; systemctl kill --signal=CONT ${ROOM}`);
    await host.waitFor(`[ "$(systemctl show -P ActiveState ${ROOM})" != activating ]`);
    expect(await host.sh(`systemctl show -P Result ${ROOM}`)).toBe('success');
    expect(JSON.parse(await host.read('/run/node-updater/demo/backup-report.jsonl'))).toMatchObject({ kind: 'done' });
  });
});
