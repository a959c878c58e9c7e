import { afterEach, describe, expect, it } from 'vitest';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const processOfNode = () => lab.host.sh('systemctl show -P MainPID demo.service');

describe('a drill', () => {
  it('takes a copy that fails, sees systemd put the committed version back, tells the times and leaves nothing', async () => {
    lab = await makeInstalled({ soak: '2s' });
    const before = await processOfNode();
    const { status, stdout, stderr } = await lab.updater('drill', '--yes');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/The drill went as it should: 1\.0\.0 was put back and is healthy\./);
    expect(stdout).toMatch(/found out after +\d+\.\d\d s\n.*1\.0\.0 put back after another \d+\.\d\d s\n/);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await processOfNode()).not.toBe(before);
    expect(await lab.host.sh('ls -A /opt/demo/versions | xargs')).toBe('.1.0.0.complete .1.0.0.files 1.0.0');
    expect(await lab.lastEnd()).toMatchObject({ outcome: 'rolled-back', failure: { code: 'GATE_EXITED' } });
    expect(await lab.lastEnd()).not.toHaveProperty('quarantine');
    const after = (await lab.updater('status')).stdout;
    expect(after).toContain('demo: committed.');
    expect(after, 'a drill that went as it should is no trouble').not.toContain('was not committed');
    expect(await lab.host.journal('-u', 'demo.service', '-o', 'cat')).toContain(
      'this copy was made to fail, for a drill',
    );
    await lab.publish('2.0.0');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('says first what it will do, and does nothing before its operator agrees', async () => {
    lab = await makeInstalled({ soak: '2s' });
    const before = await processOfNode();
    const { status, stdout } = await lab.updater('drill');
    expect(status).toBe(2);
    expect(stdout).toContain('sudo node-updater drill demo --yes');
    expect(await processOfNode()).toBe(before);
  });

  it('is refused for a node that is not healthy, and for one that its operator stopped', async () => {
    lab = await makeInstalled({ soak: '2s' });
    await lab.host.sh('echo -n sick > /opt/demo/versions/1.0.0/share/behaviour; systemctl restart demo.service');
    const before = await processOfNode();
    const sick = await lab.updater('drill', '--yes');
    expect(sick.status).toBe(75);
    expect(sick.stdout + sick.stderr).toContain('There was no drill, the node is unchanged');
    expect(sick.stdout + sick.stderr).toMatch(/Mend it first.* sudo node-updater drill demo --yes/);
    expect(await processOfNode()).toBe(before);
    await lab.host.sh('systemctl stop demo.service');
    const stopped = await lab.updater('drill', '--yes');
    expect(stopped.status).toBe(1);
    expect(stopped.stderr).toContain('→ Start the node, then type: sudo node-updater drill demo --yes');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', active: 'inactive', leftovers: '' });
    expect(await lab.host.sh('ls -A /opt/demo/versions | xargs')).toBe('.1.0.0.complete .1.0.0.files 1.0.0');
  });

  it('whose updater is killed leaves the committed version running, and the copy is gone', async () => {
    lab = await makeInstalled({ soak: '2s' });
    await lab.updater('drill', '--yes', '--no-wait');
    await lab.host.waitFor('[ "$(readlink /opt/demo/current)" = versions/1.0.0-drill ]');
    await lab.host.sh('systemctl kill --signal=KILL node-updater@demo.service');
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.host.sh('ls -A /opt/demo/versions | xargs')).toBe('.1.0.0.complete .1.0.0.files 1.0.0');
  });
});
