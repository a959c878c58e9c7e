import { afterEach, describe, expect, it } from 'vitest';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Changes, Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

async function installed(changes: Changes = {}): Promise<void> {
  lab = await makeInstalled({ soak: '1s', ...changes });
  await lab.publish('2.0.0');
}

const processOfNode = () => lab.host.sh('systemctl show -P MainPID demo.service');

/** The upgrade is refused with `code` before the node is touched, and no version is blamed. */
async function expectRefusal(code: string): Promise<void> {
  const before = await processOfNode();
  const { status, stderr } = await lab.updater('upgrade');
  expect(status, stderr).toBe(75);
  const end = await lab.lastEnd();
  expect(end).toMatchObject({ outcome: 'unchanged', failure: { code } });
  expect(end).not.toHaveProperty('quarantine');
  expect(await processOfNode()).toBe(before);
  expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '', active: 'active', leftovers: '' });
}

async function behaveAs(behaviour: string): Promise<void> {
  await lab.host.sh(
    `echo -n '${behaviour}' > /opt/demo/versions/1.0.0/share/behaviour; systemctl restart demo.service`,
  );
}

describe('before anything is stopped', () => {
  it('a node that fails its own probes is not updated unless its operator says so [F096]', async () => {
    await installed();
    await behaveAs('sick');
    await expectRefusal('GATE_BASELINE');
    expect((await lab.updater('upgrade', '--force', 'unhealthy')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('a node that goes down again and again has nothing to lose: the update is taken [F096]', async () => {
    await installed();
    await behaveAs('crash 300');
    await lab.host.waitFor('[ "$(systemctl show -P NRestarts demo.service)" -ge 1 ]');
    const { status, stderr } = await lab.updater('upgrade');
    expect(status, stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('the unit must let itself be restarted: no version could be started, nor put back', async () => {
    await installed();
    await lab.host.push(Buffer.from('[Unit]\nRefuseManualStop=yes\n'), '/etc/systemd/system/demo.service.d/no.conf');
    await lab.host.sh('systemctl daemon-reload');
    const before = await processOfNode();
    expect((await lab.updater('upgrade')).status).toBe(1);
    expect(await lab.lastEnd()).toMatchObject({ outcome: 'unchanged', failure: { code: 'HOST_UNIT' } });
    expect(await processOfNode()).toBe(before);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('a mount that the node needs must be there', async () => {
    await installed();
    await lab.configure({ soak: '1s', top: 'mounts = ["/mnt/16 TB"]' });
    await expectRefusal('HOST_MOUNT');
    await lab.host.sh(`mkdir -p '/mnt/16 TB'; mount -t tmpfs none '/mnt/16 TB'`);
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('there must be room for the download, its copy and the version, in bytes and in inodes [F057][F060][S1.14]', async () => {
    await installed();
    // Enough for gpgv's files, and not for the archive.
    const small = '/var/lib/node-updater/demo/incoming';
    await lab.host.sh(`mount -t tmpfs -o size=12k,mode=700 none ${small}`);
    await expectRefusal('DISK_FULL');
    await lab.host.sh(`
      umount ${small}
      mount -t tmpfs -o nr_inodes=$(($(find /opt/demo/versions | wc -l) + 6)) none /mnt
      cp -a /opt/demo/versions/. /mnt
      mount --bind /mnt /opt/demo/versions`);
    await expectRefusal('DISK_FULL');
    expect((await lab.lastEnd())?.failure?.message).toMatch(/inodes are needed/);
    await lab.host.sh('umount /opt/demo/versions');
    expect((await lab.updater('upgrade')).status).toBe(0);
  });
});
