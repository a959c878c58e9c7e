import { afterEach, describe, expect, it } from 'vitest';
import { makeInstalled } from '../rig/lab/installed.ts';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

async function installed(...changes: Parameters<Lab['configure']>): Promise<void> {
  lab = await makeInstalled({ soak: '1s' });
  await lab.configure(...changes);
}

const reached = (state: string) =>
  `grep -q '"kind":"intent","tx":"[^"]*","state":"${state}"' <(tail -n 3 /var/lib/node-updater/demo/ledger.jsonl)`;

/** Publishes 2.0.0 and starts its transaction, up to the intent of `state`. */
async function underWay(state: string): Promise<void> {
  await lab.publish('2.0.0');
  await lab.updater('upgrade', '--no-wait');
  await lab.host.waitFor(`bash -c '${reached(state).replaceAll("'", `'"'"'`)}'`);
}

const slowDisk = `[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sleep 2
`;

const killUpdater = 'systemctl kill --signal=KILL node-updater@demo.service';
describe('when the updater is killed', () => {
  it('in the soak, the old version is back and proven healthy, the journal says so, and the release is tried again once [S1.20][S1.28][S2.32][S2.33][F110]', async () => {
    await installed({ soak: '60s' });
    await underWay('soak');
    await lab.host.sh(killUpdater);
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.lastEnd()).toMatchObject({ failure: { code: 'ACTIVATE_INTERRUPTED' } });
    expect(await lab.lastEnd()).not.toHaveProperty('quarantine');
    const proven = { kind: 'result', state: 'gate-old', event: 'ok' };
    expect((await lab.ledger()).map(({ entry }) => entry)).toContainEqual(expect.objectContaining(proven));
    const told = await lab.host.journal('-u', 'node-updater@demo.service', '-o', 'cat');
    expect(told).toContain('The node was put back to 1.0.0 from 2.0.0');
    await lab.configure({ soak: '1s' });
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('while the node is stopped, the node is back', async () => {
    lab = await makeLab();
    await lab.configure({ soak: '1s' });
    await lab.publish('1.0.0', 'deaf');
    await lab.updater('upgrade');
    await underWay('start');
    await lab.host.sh(killUpdater);
    await lab.waitForEnd(2);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('twice over one version, that version is quarantined', async () => {
    await installed({ soak: '60s' });
    for (const ends of [2, 3]) {
      await underWay('soak');
      await lab.host.sh(killUpdater);
      expect(await lab.waitForEnd(ends)).toBe('rolled-back');
    }
    expect(await lab.lastEnd()).toMatchObject({ quarantine: { version: '2.0.0', cause: 'interrupted' } });
  });

  it('by its own time-out because it hangs, the old version is back [S1.36]', async () => {
    await installed({ soak: '60s' });
    await lab.host.push(Buffer.from('heartbeat_timeout = "30s"\n'), '/etc/node-updater/conf.d/10-test.toml', 0o644);
    // The unit's own limit is the least that the heartbeat asks for; two minutes are long to watch.
    await lab.host.push(
      Buffer.from('[Service]\nTimeoutStartSec=20s\n'),
      '/etc/systemd/system/node-updater@.service.d/test.conf',
      0o644,
    );
    await lab.host.sh('systemctl daemon-reload');
    await underWay('soak');
    await lab.host.sh('systemctl kill --signal=STOP node-updater@demo.service');
    await lab.host.waitFor('[ "$(readlink /opt/demo/current)" = versions/1.0.0 ]', { timeout: 180 });
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });
});

describe('when the host goes down in the soak', () => {
  it.each([
    { how: 'by a reboot [P49]', down: () => lab.host.reboot() },
    {
      how: 'by a crash',
      down: async () => {
        await lab.host.crash();
        return lab.host.boot();
      },
    },
  ])(
    '$how, it boots the committed version, with no Node at boot, and the release is not quarantined',
    async ({ down }) => {
      await installed({ soak: '60s' });
      await underWay('soak');
      await down();
      expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '', active: 'active', running: '1.0.0' });
      const started =
        'systemctl show -P ExecMainStartTimestampMonotonic node-updater@demo.service node-updater.service';
      expect((await lab.host.sh(started)).split(/\s+/)).toEqual(['0', '0']);
      await lab.configure({ soak: '1s' });
      await lab.host.run(['systemctl', 'start', 'node-updater@demo.service']);
      expect(await lab.waitForEnd(2)).toBe('rolled-back');
      expect(await lab.lastEnd()).not.toHaveProperty('quarantine');
      expect((await lab.updater('upgrade')).status).toBe(0);
      expect(await lab.facts()).toEqual(runs('2.0.0'));
    },
  );

  it('with /opt on a mount that comes late, it boots the committed version all the same', async () => {
    await installed({ soak: '60s' });
    // The tree lies elsewhere, and comes to /opt only when a slow disk is there; the mount may fail to be (nofail).
    await lab.host.push(Buffer.from(slowDisk), '/etc/systemd/system/slow-disk.service', 0o644);
    await lab.host.sh(`
      systemctl stop demo.service
      mv /opt/demo /var/real-opt-demo && mkdir /var/real-opt && mv /var/real-opt-demo /var/real-opt/demo
      printf '/var/real-opt /opt none bind,nofail,x-systemd.requires=slow-disk.service,x-systemd.after=slow-disk.service 0 0\\n' >>/etc/fstab
      systemctl daemon-reload && systemctl start opt.mount && systemctl start demo.service`);
    await underWay('soak');
    await lab.host.crash();
    await lab.host.boot();
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '', active: 'active', running: '1.0.0' });
  });
});

describe('an operator', () => {
  it('who stops the node in the soak wins: the old version is current, nobody starts it, nothing is quarantined [F086]', async () => {
    await installed({ soak: '60s' });
    await underWay('soak');
    await lab.host.sh('systemctl stop demo.service');
    expect(await lab.waitForEnd(2)).toBe('stopped-by-operator');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '', active: 'inactive', leftovers: '' });
    expect(await lab.lastEnd()).not.toHaveProperty('quarantine');
  });

  it('who stops a node that exits 1 on SIGTERM wins as well', async () => {
    await installed({ soak: '60s' });
    await lab.publish('2.0.0', 'sulky');
    await lab.updater('upgrade', '--no-wait');
    await lab.host.waitFor('[ "$(readlink /opt/demo/current)" = versions/2.0.0 ] && curl -fs http://127.0.0.1:8080/');
    await lab.host.sh('systemctl stop demo.service');
    expect(await lab.waitForEnd(2)).toBe('stopped-by-operator');
    const { active } = await lab.facts();
    expect(active).toMatch(/^(inactive|failed)$/);
  });

  it('who restarts the node in the soak does not end it [P29]', async () => {
    await installed({ soak: '5s' });
    await underWay('soak');
    await lab.host.sh('systemctl restart demo.service');
    expect(await lab.waitForEnd(2)).toBe('committed');
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('who asks for a rollback in the soak gets the old version at once, and the candidate stays away; prune has to wait [F114][P43]', async () => {
    await installed({ soak: '60s' });
    await underWay('soak');
    expect((await lab.updater('prune', '--keep', '2')).status).toBe(75);
    const { status, stderr } = await lab.updater('rollback');
    expect(status, stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.lastEnd()).toMatchObject({ quarantine: { version: '2.0.0', cause: 'operator' } });
  });

  it('can roll back after the commit, with and without --to, and is told when there is nothing to go back to [S1.28][F119][P43]', async () => {
    await installed({ soak: '1s' });
    expect((await lab.updater('rollback')).status).toBe(1);
    await lab.publish('2.0.0');
    await lab.updater('upgrade');
    expect((await lab.updater('rollback')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    // What was rolled back from does not come back by itself.
    await lab.updater('upgrade');
    expect((await lab.facts()).running).toBe('1.0.0');
    expect((await lab.updater('rollback', '--to', '2.0.0')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect((await lab.updater('rollback', '--to', '9.9.9')).status).toBe(1);
  });

  it('who asks twice at once gets one update and one "try again later" [F109][F110][P38]', async () => {
    await installed({ soak: '3s' });
    await lab.publish('2.0.0');
    const answers = await Promise.all([lab.updater('upgrade'), lab.updater('upgrade'), lab.updater('upgrade')]);
    expect(answers.map((answer) => answer.status).sort()).toContain(0);
    expect(answers.every(({ status }) => status === 0 || status === 75)).toBe(true);
    expect((await lab.ledger()).filter(({ entry }) => entry.kind === 'opened').length).toBe(2);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('who interrupts the command with Ctrl-C ends the following, not the update [F118]', async () => {
    await installed({ soak: '4s' });
    await lab.publish('2.0.0');
    const followed = await lab.host.run(['timeout', '--foreground', '--signal=INT', '4', 'node-updater', 'upgrade']);
    expect(followed.stdout + followed.stderr).toMatch(/goes on/);
    expect(await lab.waitForEnd(2)).toBe('committed');
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('who stops the transaction unit gets the old version back, and that is the reason on record, whatever the room was doing [P16]', async () => {
    await installed({ soak: '60s' });
    await underWay('activate');
    // The room is stopped with the unit that it is bound to, and systemd may tell of its end first.
    const atOnce = `until ${reached('soak')}; do :; done; systemctl stop node-updater@demo.service`;
    expect((await lab.host.run(['bash', '-c', atOnce])).status).toBe(0);
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.lastEnd()).toMatchObject({ failure: { code: 'ACTIVATE_INTERRUPTED' } });
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('may kill dbus-daemon in the soak: a lost bus says nothing about the node [F087]', async () => {
    await installed({ soak: '5s' });
    await underWay('soak');
    await lab.host.sh('systemctl kill --signal=KILL dbus.service');
    expect(await lab.waitForEnd(2)).toBe('committed');
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('can type daemon-reload and daemon-reexec in the soak [F088]', async () => {
    await installed({ soak: '4s' });
    await underWay('soak');
    await lab.host.sh('systemctl daemon-reload; systemctl daemon-reexec');
    expect(await lab.waitForEnd(2)).toBe('committed');
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });
});
