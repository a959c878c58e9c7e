/** A restore that a boot goes on with before the node's data is mounted. */
import { afterEach, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';
const mount = () => lab.host.sh('mount --bind /disk /srv/demo');
const settled = () =>
  lab.host.waitFor(
    `grep -q '"event":"later".*"HOST_MOUNT"' ${LEDGER} && [ -z "$(systemctl list-jobs --no-legend)" ] &&
     ! systemctl is-active --quiet node-updater@demo.service && [ ! -e /run/node-updater/demo/open ]`,
  );

/** A host whose power goes while the data of 2.0.0 is being put back to that of 1.0.0; its data disk is not in fstab. */
async function cutInTheWayBack(mounts: string): Promise<void> {
  lab = await makeLab();
  await lab.host.sh(
    'useradd --system demo 2>/dev/null || true; install -d -o demo -g demo -m 750 /disk; mkdir /srv/demo',
  );
  await mount();
  await lab.configure({ soak: '1s', data: '', top: mounts });
  await lab.publish('1.0.0');
  const { status, stdout, stderr } = await lab.updater('upgrade');
  expect(status, stdout + stderr).toBe(0);
  await lab.publish('2.0.0', 'sick', { epoch: 1, rollback: 'restore-data' });
  const slow = Buffer.from('[Service]\nExecStartPre=sleep 1\n');
  await lab.host.push(slow, '/etc/systemd/system/node-updater-backup@.service.d/test.conf', 0o644);
  await lab.host.sh('systemctl daemon-reload');
  await lab.updater('upgrade', '--no-wait');
  await lab.host.waitFor('[ -e /var/lib/node-updater/demo/restoring ]');
  await lab.host.crash();
  await lab.host.boot();
}

it.each([
  { known: 'the configuration says', mounts: 'mounts = ["/srv/demo"]', told: '/srv/demo is not mounted' },
  { known: 'the backup knows', mounts: '', told: 'nothing is mounted at /srv/demo' },
])(
  'touches nothing where $known what must be mounted, holds the node down, and goes on once it is [F102]',
  async ({ mounts, told }) => {
    await cutInTheWayBack(mounts);
    await settled();
    expect(await lab.facts()).toMatchObject({ current: '2.0.0', active: 'inactive', running: 'none' });
    expect(await lab.host.sh('ls -A /srv/demo; cat /disk/epoch')).toBe('1');
    const { stdout } = await lab.updater('status');
    expect(stdout).toContain(told);
    await mount();
    await lab.host.sh('systemctl start node-updater.service');
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.host.sh('cat /disk/epoch; ls /var/lib/node-updater/demo/restoring 2>/dev/null || true')).toBe('0');
  },
);
