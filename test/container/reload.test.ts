/**
 * systemd is reloaded while a transaction runs for longer than its unit's own limit: by ourselves, by another node's
 * transaction, by any package that is installed meanwhile.
 */
import { expect, it } from 'vitest';
import { makeLab } from '../rig/lab/lab.ts';

const SOAK = 40;
const LIMIT = 20;

it('a transaction that has outlived the limit of its unit goes on when systemd is reloaded, and commits [S1.36]', async () => {
  await using lab = await makeLab();
  await lab.configure({ soak: '1s' });
  await lab.publish('1.0.0');
  expect((await lab.updater('upgrade')).status).toBe(0);
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
