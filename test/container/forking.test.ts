import { afterEach, describe, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';
import type { Behaviour } from '../rig/lab/tree.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const unit = `[Service]
Type=forking
ExecStart=/opt/demo/current/bin/demod --daemon /run/demo/demo.pid
PIDFile=/run/demo/demo.pid
RuntimeDirectory=demo
User=demo
TimeoutStopSec=3
Restart=on-failure
[Install]
WantedBy=multi-user.target
`;

/** 1.0.0 committed, under the operator's own unit; no probe looks at it, only systemd's word counts. */
async function installed(): Promise<void> {
  lab = await makeLab();
  await lab.host.push(Buffer.from(unit), '/etc/systemd/system/demo.service', 0o644);
  await lab.host.sh('systemctl daemon-reload; systemctl enable demo.service');
  await lab.configure({ soak: '3s', unit: 'own' });
  await lab.publish('1.0.0');
  const { status, stderr } = await lab.updater('upgrade');
  expect(status, stderr).toBe(0);
}

describe('a daemon that goes to the background by itself (Type=forking, PIDFile=)', () => {
  it('is upgraded, and its main process is what the PID file says', async () => {
    await installed();
    await lab.publish('2.0.0');
    const { status, stderr } = await lab.updater('upgrade');
    expect(status, stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect(await lab.host.sh('systemctl show -P MainPID demo.service')).toBe(
      (await lab.host.read('/run/demo/demo.pid')).trim(),
    );
  });

  it('is not touched while systemd does not know its main process, and what it lacks is named [S1.24]', async () => {
    await installed();
    await lab.host.sh(`sed -i s/^PIDFile=.*/GuessMainPID=no/ /etc/systemd/system/demo.service
      systemctl daemon-reload; systemctl restart demo.service`);
    const invocation = await lab.host.sh('systemctl show -P InvocationID demo.service');
    await lab.publish('2.0.0');
    const { status, stdout } = await lab.updater('upgrade');
    expect({ status, stdout }).toEqual({ status: 1, stdout: expect.stringContaining('PIDFile=') as string });
    expect(await lab.host.sh('systemctl show -P InvocationID demo.service')).toBe(invocation);
  });

  it.each<{ behaviour: Behaviour; title: string }>([
    { behaviour: 'crash 300', title: 'crashes in a loop [F084][P24]' },
    { behaviour: 'crash 2500', title: 'crashes late in the soak [F083]' },
    { behaviour: 'quit 300', title: 'exits cleanly, which its own Restart= would leave down [P48]' },
    { behaviour: 'broken', title: 'dies in the background at once, after its parent said that all is well [S1.18]' },
  ])('is put back when the new version $title', async ({ behaviour }) => {
    await installed();
    await lab.publish('2.0.0', behaviour);
    expect((await lab.updater('upgrade')).status).toBe(3);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.lastEnd()).toMatchObject({
      outcome: 'rolled-back',
      quarantine: { version: '2.0.0', cause: 'gate' },
    });
  });
});
