import { afterEach, describe, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';
import type { Behaviour } from '../rig/lab/tree.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const service = (more = '') => `[Service]
ExecStart=/opt/demo/current/bin/demod
User=demo
TimeoutStopSec=3
${more}
[Install]
WantedBy=multi-user.target
`;

/** A node under a unit of its operator's own, 1.0.0 committed. */
async function installed(unit: string, behaviour: Behaviour = 'good'): Promise<void> {
  lab = await makeLab();
  await lab.host.push(Buffer.from(unit), '/etc/systemd/system/demo.service', 0o644);
  await lab.host.sh('systemctl daemon-reload; systemctl enable demo.service');
  await lab.configure({ soak: '1s', unit: 'own' });
  await lab.publish('1.0.0', behaviour);
  const { status, stderr } = await lab.updater('upgrade');
  expect(status, stderr).toBe(0);
}

describe('a node under its operator’s own unit', () => {
  it('is upgraded and put back as any other; what it needs is added once, beside the unit, which is not touched [P47]', async () => {
    await installed(service('Restart=on-failure'));
    await lab.publish('2.0.0');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    const added = () => lab.host.sh('stat -c "%n %Y" $(systemctl show -P DropInPaths demo.service)');
    const before = await added();
    await lab.publish('3.0.0', 'quit 300');
    expect((await lab.updater('upgrade')).status).toBe(3);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect(await added()).toBe(before);
    expect(before).toMatch(/^\/etc\/systemd\/system\/demo\.service\.d\/50-node-updater\.conf \d+$/);
    expect(await lab.host.sh('systemctl show -P Restart demo.service')).toBe('on-failure');
    expect(await lab.host.read('/etc/systemd/system/demo.service')).toBe(service('Restart=on-failure'));
  });

  it('is not taken for one that may rest because a timer can start it, and a clean exit is found', async () => {
    await installed(service('Restart=on-failure'));
    const timer = '[Timer]\nOnCalendar=weekly\n[Install]\nWantedBy=timers.target\n';
    await lab.host.push(Buffer.from(timer), '/etc/systemd/system/demo.timer', 0o644);
    await lab.host.sh('systemctl daemon-reload; systemctl enable --now demo.timer');
    await lab.publish('2.0.0', 'quit 300');
    expect((await lab.updater('upgrade')).status).toBe(3);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    await lab.host.sh('systemctl stop demo.service');
    await lab.publish('2.0.1');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', active: 'inactive' });
  });

  it('is refused while its ExecStart= does not go through `current`, before anything is stopped', async () => {
    await installed(service());
    await lab.host.sh(`
      sed -i s,/opt/demo/current,/opt/demo/versions/1.0.0, /etc/systemd/system/demo.service; systemctl daemon-reload`);
    await lab.publish('2.0.0');
    const { status, stderr, stdout } = await lab.updater('upgrade');
    expect(status).toBe(1);
    expect(stdout + stderr).toContain('a switch would change nothing');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', active: 'active' });
  });

  it('that cannot run the old version either ends with "a person is needed", and the candidate is quarantined [F098]', async () => {
    await installed(service('Restart=no'));
    await lab.publish('2.0.0', 'crash 1500');
    await lab.configure({ soak: '4s', unit: 'own' });
    await lab.updater('upgrade', '--no-wait');
    await lab.host.waitFor('[ "$(readlink /opt/demo/current)" = versions/2.0.0 ]');
    await lab.host.sh('echo quit 100 >/opt/demo/versions/1.0.0/share/behaviour');
    expect(await lab.waitForEnd(2)).toBe('rollback-failed');
    expect(await lab.lastEnd()).toMatchObject({ failure: { code: 'GATE_OLD' }, quarantine: { version: '2.0.0' } });
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '' });
  });
});

describe('a node that its socket starts', () => {
  const probe = '[[gate.probe]]\ntype = "http"\nurl = "http://127.0.0.1:8080/"\n';
  /** Asks without a pause for some seconds, and counts what was refused. */
  const asker = `let asked = 0, refused = 0;
    for (const end = Date.now() + 6000; Date.now() < end; asked++)
      await fetch('http://127.0.0.1:8080/').catch((error) => { if (error.cause?.code === 'ECONNREFUSED') refused++; });
    console.log(JSON.stringify({ asked: asked > 100, refused }));`;

  it('is upgraded without one refused connection, gated by its probes, and put back as well', async () => {
    lab = await makeLab();
    await lab.host.push(Buffer.from(service()), '/etc/systemd/system/demo.service', 0o644);
    const socket = '[Socket]\nListenStream=127.0.0.1:8080\n[Install]\nWantedBy=sockets.target\n';
    await lab.host.push(Buffer.from(socket), '/etc/systemd/system/demo.socket', 0o644);
    await lab.host.sh('systemctl daemon-reload; systemctl enable --now demo.socket');
    await lab.configure({ soak: '1s', unit: 'own', more: probe });
    await lab.publish('1.0.0');
    expect((await lab.updater('upgrade')).status).toBe(0);
    await lab.publish('2.0.0');
    const asking = lab.host.run(['/usr/lib/node-autoupdate/node', '--input-type=module', '-e', asker]);
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(JSON.parse((await asking).stdout)).toEqual({ asked: true, refused: 0 });
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    await lab.publish('3.0.0', 'sick');
    expect((await lab.updater('upgrade')).status).toBe(3);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    // Node and socket stopped by their operator: nothing is started.
    await lab.host.sh('systemctl stop demo.socket demo.service');
    await lab.publish('2.0.1');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toMatchObject({ current: '2.0.0', active: 'inactive' });
  });
});

describe('the fallback', () => {
  it.each([
    { killed: 'in the soak', when: `tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q '"state":"soak"'` },
    { killed: 'in the restart itself', when: '[ "$(systemctl show -P SubState demo.service)" = stop-sigterm ]' },
  ])(
    'whose updater was killed $killed does not start a node that its operator stopped between two tries',
    async ({ when }) => {
      await installed(service(), 'deaf');
      await lab.configure({ soak: '60s', unit: 'own' });
      await lab.publish('2.0.0');
      await lab.updater('upgrade', '--no-wait');
      await lab.host.waitFor(when);
      await lab.host.sh(`
      mv /opt/demo/versions/1.0.0 /opt/demo/away
      systemctl kill --signal=KILL node-updater@demo.service`);
      await lab.host.waitForJournal(/cannot be put back/);
      await lab.host.waitFor('systemctl is-active --quiet demo.service');
      await lab.host.sh('systemctl stop demo.service; mv /opt/demo/away /opt/demo/versions/1.0.0');
      expect(await lab.waitForEnd(2)).toBe('stopped-by-operator');
      expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '', active: 'inactive' });
    },
  );

  it('is not trusted behind a symbolic link, where it could come too late at boot [F117]', async () => {
    await installed(service());
    await lab.host.sh(
      'systemctl stop demo.service; mv /opt/demo /opt/elsewhere; ln -s elsewhere /opt/demo; systemctl start demo.service',
    );
    await lab.publish('2.0.0');
    const { status, stdout, stderr } = await lab.updater('upgrade');
    expect(status).toBe(1);
    expect(stdout + stderr).toContain('/opt/elsewhere /opt/demo none bind');
  });
});
