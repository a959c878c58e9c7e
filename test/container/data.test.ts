/** The node's data: backups, restores, and releases that move it to another epoch (DESIGN.md section 6). */
import { afterEach, describe, expect, it } from 'vitest';
import { cases } from '../rig/cases.ts';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';
const NEXT = { epoch: 1, rollback: 'restore-data' } as const;

async function installed(backup = '', soak = '1s'): Promise<void> {
  lab = await makeLab();
  await lab.host.sh('install -d -o demo -g demo -m 750 /srv/demo');
  await lab.configure({ soak, data: backup });
  await lab.publish('1.0.0');
  await upgraded();
}

async function upgraded(): Promise<void> {
  const { status, stdout, stderr } = await lab.updater('upgrade');
  expect(status, stdout + stderr).toBe(0);
}

const starts = () => lab.host.sh('echo $(cat /srv/demo/starts)');
const epoch = () => lab.host.sh('cat /srv/demo/epoch');
const held = () => lab.host.sh('ls /var/lib/node-updater/demo/restoring 2>/dev/null || true');

/** Every order of the backup room takes as long as a larger node's would. */
async function slowRoom(): Promise<void> {
  const dropIn = '/etc/systemd/system/node-updater-backup@.service.d/test.conf';
  await lab.host.push(Buffer.from('[Service]\nExecStartPre=sleep 1\n'), dropIn, 0o644);
  await lab.host.sh('systemctl daemon-reload');
}

/** The transaction to this version is at this step. */
async function reached(state: string, version = '2.0.0'): Promise<void> {
  await lab.host.waitFor(`sed '1,/"to":"${version}"/d' ${LEDGER} | grep -q '"kind":"intent".*"state":"${state}"'`);
}

const startedNoWait = () => lab.host.run(['node-updater', 'upgrade', '--no-wait']);

describe('the data of a node', () => {
  it('is backed up before each upgrade, with the node down, and the oldest backups go', async () => {
    await installed('keep = 2');
    for (const version of ['1.1.0', '1.2.0', '1.3.0']) {
      await lab.publish(version);
      await upgraded();
    }
    expect(await lab.facts()).toEqual(runs('1.3.0'));
    const list = await lab.updater('backup', 'list');
    expect(list.stdout.match(/before 1\.\d\.0/g)).toEqual(['before 1.3.0', 'before 1.2.0']);
    expect(await starts()).toBe('1.0.0 1.1.0 1.2.0 1.3.0');
    expect((await lab.updater('backup', 'verify')).status).toBe(0);
  });

  it('is backed up and put back on request; a node that its operator stopped stays stopped', async () => {
    await installed('before = "epoch"');
    await lab.publish('1.1.0');
    await upgraded();
    expect((await lab.updater('backup', 'list')).stdout).toContain('has no backup');
    const made = await lab.updater('backup', 'create');
    expect(made.status, made.stdout + made.stderr).toBe(0);
    expect(await starts()).toBe('1.0.0 1.1.0 1.1.0');
    const back = await lab.updater('backup', 'restore');
    expect(back.status, back.stdout + back.stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.1.0'));
    expect(await starts()).toBe('1.0.0 1.1.0 1.1.0');
    await lab.host.sh('systemctl stop demo.service');
    expect((await lab.updater('backup', 'create')).status).toBe(0);
    expect((await lab.updater('backup', 'restore')).status).toBe(0);
    expect(await lab.facts()).toEqual({ ...runs('1.1.0'), active: 'inactive', running: 'none' });
    expect(await held()).toBe('');
  });

  it('does not keep the node down when the package is removed in the middle of a backup [F122]', async () => {
    await installed();
    const dropIn = '/etc/systemd/system/node-updater-backup@.service.d/test.conf';
    await lab.host.push(Buffer.from('[Service]\nExecStartPre=sleep infinity\n'), dropIn, 0o644);
    await lab.host.sh('systemctl daemon-reload; node-updater backup create --no-wait');
    await lab.host.waitFor('[ "$(systemctl show -P ActiveState node-updater-backup@demo.service)" = activating ]');
    expect(await lab.host.run(['systemctl', 'is-active', 'demo.service'])).toMatchObject({ stdout: 'inactive\n' });
    await lab.host.sh('apt-get remove --yes --quiet node-autoupdate', { timeout: 120 });
    await lab.host.waitFor('systemctl is-active --quiet demo.service');
    expect(await starts()).toBe('1.0.0 1.0.0');
    expect(await lab.host.sh('ls /run/node-updater/demo')).not.toMatch(/open|down/);
  });

  it('is not put back where its signing state would be lost: refused before the stop [S1.24]', async () => {
    await installed('before = "epoch"');
    const state = '/srv/demo/priv_validator_state.json';
    await lab.host.sh(`runuser -u demo -- sh -c 'echo height-1 >${state}'`);
    expect((await lab.updater('backup', 'create')).status).toBe(0);
    await lab.host.sh(`rm ${state}`);
    const before = await starts();
    const refused = await lab.updater('backup', 'restore');
    expect(refused.status, refused.stdout + refused.stderr).toBe(1);
    expect(refused.stdout + refused.stderr).toContain('is signing state, and is not there now');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.host.sh('systemctl show -P NRestarts demo.service')).toBe('0');
    expect(await starts()).toBe(before);
  });

  it('is not backed up where that would take too long or too much: refused before the stop [F099][S1.24]', async () => {
    await installed('longest = "1s"');
    await lab.host.sh('runuser -u demo -- sh -c "mkdir /srv/demo/m; cd /srv/demo/m; seq 20000 | xargs touch"');
    await lab.publish('2.0.0');
    const { status, stdout } = await lab.updater('upgrade');
    expect(status, stdout).toBe(1);
    expect(stdout).toContain('longer than backup.longest allows');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await starts()).toBe('1.0.0');
  });
});

describe('a release that moves the data to another epoch', () => {
  it('is taken where the data is backed up, and goes forward only: no fallback names the version before [S2.40]', async () => {
    await installed();
    await lab.configure({ soak: '3s', data: '' });
    await lab.publish('2.0.0', 'good', NEXT);
    await startedNoWait();
    await reached('soak');
    expect(await lab.facts()).toMatchObject({ current: '2.0.0', fallback: '', running: '2.0.0' });
    expect(await lab.waitForEnd(2)).toBe('committed');
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect(await epoch()).toBe('1');
  });

  it.each(['crash 300', 'hang', 'broken'] as const)(
    'and fails its gate (%s) is put back with the data of before, and quarantined [F097][S1.24][S2.41][S2.42]',
    async (behaviour) => {
      await installed();
      await lab.publish('2.0.0', behaviour, NEXT);
      const { status, stdout, stderr } = await lab.updater('upgrade');
      expect(status, stdout + stderr).toBe(3);
      expect(await lab.facts()).toEqual(runs('1.0.0'));
      expect(await epoch()).toBe('0');
      expect(await held()).toBe('');
      expect(await lab.lastEnd()).toMatchObject({ outcome: 'rolled-back', quarantine: { version: '2.0.0' } });
      await lab.publish('2.1.0', 'good', NEXT);
      await upgraded();
      expect(await lab.facts()).toEqual(runs('2.1.0'));
      expect(await lab.host.sh('ls -A /srv')).not.toContain('before');
    },
  );

  it('and fails, where its publisher says that no data goes back, runs on, and a person is asked [S2.40]', async () => {
    await installed();
    await lab.publish('2.0.0', 'sick', { epoch: 1, rollback: 'never' });
    expect((await lab.updater('upgrade')).status).toBe(1);
    const { status, stdout } = await lab.updater('upgrade', '--force', 'epoch');
    expect(status, stdout).toBe(4);
    expect(stdout).toContain('no way back');
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    await lab.publish('2.0.1', 'good', { epoch: 1, rollback: 'never' });
    await lab.updater('upgrade', '--force', 'unhealthy');
    expect(await lab.facts()).toEqual(runs('2.0.1'));
  });

  it('and has filled the disk of the data when it fails runs on with a person asked; once there is room, a rollback gives the data back [S1.24][S2.35]', async () => {
    await installed();
    await lab.host.sh(`
      systemctl stop demo.service; mkdir /root/data; cp -a /srv/demo/. /root/data/
      mount -t tmpfs -o size=8M,mode=750,uid=$(id -u demo),gid=$(id -g demo) none /srv/demo; cp -a /root/data/. /srv/demo/
      dd if=/dev/urandom of=/srv/demo/blocks bs=1M count=2 status=none; systemctl start demo.service`);
    await lab.configure({ soak: '60s', data: '' });
    await lab.publish('2.0.0', 'late 3000', NEXT);
    const followed = lab.updater('upgrade');
    await reached('soak');
    await lab.host.sh('dd if=/dev/zero of=/srv/demo/migrated bs=64K 2>/dev/null || true');
    const { status, stderr } = await followed;
    expect(status, stderr).toBe(4);
    expect(stderr).toMatch(/Free space .* sudo node-updater rollback demo --to 1\.0\.0 --restore-data/);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect(await held()).toBe('');
    await lab.host.sh('rm /srv/demo/migrated');
    const back = await lab.updater('rollback', '--to', '1.0.0', '--restore-data');
    expect(back.status, back.stdout + back.stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await epoch()).toBe('0');
  });

  it('is gone back from on request, with the data that the version before left', async () => {
    await installed();
    await lab.publish('2.0.0', 'good', NEXT);
    await upgraded();
    const refused = await lab.updater('rollback');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('--restore-data');
    const back = await lab.updater('rollback', '--restore-data');
    expect(back.status, back.stdout + back.stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await epoch()).toBe('0');
    expect(await lab.lastEnd()).toMatchObject({
      outcome: 'committed',
      quarantine: { version: '2.0.0', cause: 'operator' },
    });
  });

  it('and is rolled back in the middle of its soak gives the data back', async () => {
    await installed();
    await lab.configure({ soak: '60s', data: '' });
    await lab.publish('2.0.0', 'good', NEXT);
    await startedNoWait();
    await reached('soak');
    const back = await lab.updater('rollback');
    expect(back.status, back.stdout + back.stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await epoch()).toBe('0');
  });
});

/** The first are where it matters most. */
const STATES = ['soak', 'backup', 'start', 'stop', 'activate', 'commit', 'clean'];

describe('an updater that dies while the data is in its hands', () => {
  it('in a release without a way back: the node is up again on data that its version knows [F071]', async () => {
    await installed('keep = 20');
    await slowRoom();
    for (const [n, state] of STATES.slice(0, cases(3)).entries()) {
      const version = `${n + 2}.0.0`;
      await lab.publish(version, 'good', { epoch: n + 1, rollback: 'restore-data' });
      await startedNoWait();
      await reached(state, version);
      await lab.host.sh('systemctl kill --signal=KILL node-updater@demo.service');
      const outcome = await lab.waitForEnd(n + 2);
      const facts = await lab.facts();
      expect(facts, state).toEqual(runs(facts.current));
      expect(outcome, state).toBe(facts.current === version ? 'committed' : 'rolled-back');
      expect(await epoch(), state).toBe(await lab.host.sh('cat /opt/demo/current/share/epoch'));
      expect(await held(), state).toBe('');
    }
  }, 900_000);

  it('in the way back is not in its way: the data is put back by the run that follows [F102]', async () => {
    await installed();
    await slowRoom();
    await lab.publish('2.0.0', 'sick', NEXT);
    await startedNoWait();
    await reached('go-back');
    await lab.host.sh('systemctl kill --signal=KILL node-updater@demo.service');
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await epoch()).toBe('0');
    expect(await lab.lastEnd()).toMatchObject({ quarantine: { version: '2.0.0', cause: 'gate' } });
  });

  it('with its host in the way back: the node is held down until the boot has finished the restore [F102]', async () => {
    await installed();
    await slowRoom();
    await lab.publish('2.0.0', 'sick', NEXT);
    await startedNoWait();
    await reached('go-back');
    await lab.host.waitFor('[ -e /var/lib/node-updater/demo/restoring ]');
    await lab.host.crash();
    await lab.host.boot();
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await epoch()).toBe('0');
    expect(await starts()).not.toContain('2.0.0');
  });

  it('that cannot put the data back holds the node down and asks for a person; who starts the node sets it going again [F102]', async () => {
    await installed();
    await lab.publish('2.0.0', 'sick', NEXT);
    const followed = lab.updater('upgrade');
    await reached('soak');
    const dropIn = '/etc/systemd/system/node-updater-backup@.service.d/test.conf';
    await lab.host.push(Buffer.from('[Service]\nExecStart=\nExecStart=false\n'), dropIn, 0o644);
    await lab.host.sh('systemctl daemon-reload');
    const { status, stderr } = await followed;
    expect(status, stderr).toBe(4);
    expect(stderr).toContain('held down until its data is whole');
    expect(await lab.facts()).toMatchObject({ current: '2.0.0', active: 'inactive', running: 'none' });
    expect((await lab.updater('status')).stdout).toContain('held down until its data is whole');
    await lab.host.sh(`rm ${dropIn}; systemctl daemon-reload; systemctl start demo.service || true`);
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await epoch()).toBe('0');
  });

  it('with its host in the soak of a release without a way back: the candidate boots and soaks on', async () => {
    await installed();
    await lab.configure({ soak: '3s', data: '' });
    await lab.publish('2.0.0', 'good', NEXT);
    await startedNoWait();
    await reached('soak');
    await lab.host.crash();
    await lab.host.boot();
    expect(await lab.facts()).toMatchObject({ current: '2.0.0', running: '2.0.0' });
    await lab.host.sh('systemctl start node-updater@demo.service');
    expect(await lab.waitForEnd(2)).toBe('committed');
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect(await starts()).toBe('1.0.0 2.0.0 2.0.0');
  });
});
