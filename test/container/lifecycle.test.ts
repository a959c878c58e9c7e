import { afterEach, describe, expect, it } from 'vitest';
import { makeInstalled } from '../rig/lab/installed.ts';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';
import type { Behaviour } from '../rig/lab/tree.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

/** A host whose node runs 1.0.0, committed. */
describe('a first installation', () => {
  it('generates the unit, starts it, commits, and starts it at boot without a login, where there is no Docker [S1.3][S1.33][S2.1][S2.2][S1.42][S1.43]', async () => {
    lab = await makeInstalled({ more: 'memory_max = "512M"\ncpu_quota = "80%"\n' });
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.host.sh('systemctl is-enabled demo.service')).toBe('enabled');
    const show = await lab.host.sh('systemctl show demo.service -P Restart -P MemoryMax -P CPUQuotaPerSecUSec -P User');
    expect(show.split('\n')).toEqual(expect.arrayContaining(['536870912', '800ms', 'demo']));
    await lab.host.reboot();
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('that fails its gate stops the unit and removes `current`, and a later version is still taken', async () => {
    lab = await makeLab();
    await lab.configure({ soak: '1s' });
    await lab.publish('1.0.0', 'crash 300');
    expect((await lab.updater('upgrade')).status).toBe(3);
    expect(await lab.facts()).toMatchObject({ current: '', fallback: '', active: 'inactive', leftovers: '' });
    await lab.publish('1.0.1');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.1'));
  });
});

describe('an upgrade', () => {
  it('activates and commits the newer release, seen from outside on a booted host [S1.59][S3.53][S3.54][S3.55][S1.4][S1.11][S1.17][S1.23][S1.53][S1.54][P1][P2]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    const { status, stderr } = await lab.updater('upgrade');
    expect(status, stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect((await lab.lastEnd())?.outcome).toBe('committed');
  });

  it('runs unattended from the timer’s service [S3.32][S1.1][S1.49][S1.57]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.host.sh('rm /var/lib/node-updater/demo/check.json; systemctl start node-updater.service');
    expect(await lab.waitForEnd(2)).toBe('committed');
    expect(await lab.facts()).toMatchObject({ current: '2.0.0', running: '2.0.0' });
  });

  it.each<{ behaviour: Behaviour; code: string; title: string; changes?: Parameters<Lab['configure']>[0] }>([
    { behaviour: 'crash 300', code: 'GATE_EXITED', title: 'that crashes in a loop [F084][P24]' },
    {
      behaviour: 'crash 1500',
      code: 'GATE_EXITED',
      title: 'that crashes late in the soak [F083]',
      changes: { soak: '4s' },
    },
    { behaviour: 'quit 300', code: 'GATE_EXITED', title: 'that exits cleanly [P48]' },
    { behaviour: 'abort 300', code: 'GATE_EXITED', title: 'that dumps core' },
    { behaviour: 'hang', code: 'GATE_PROBE', title: 'that hangs in its probe [F094][P28][S1.36]' },
    { behaviour: 'sick', code: 'GATE_PROBE', title: 'that answers its probe with 500 [F094][P26]' },
    { behaviour: 'silent', code: 'GATE_PROBE', title: 'that listens to nothing [F094]' },
    { behaviour: 'late 2000', code: 'GATE_PROBE', title: 'that is right, then wrong [F094]', changes: { soak: '6s' } },
    { behaviour: 'liar', code: 'GATE_VERSION', title: 'that reports another version once it is current [F095]' },
    { behaviour: 'broken', code: 'GATE_EXITED', title: 'that does not run at all [S1.18]' },
  ])(
    'to a version $title ends with the old version running, the cause recorded, the version quarantined, a later one taken [S1.25][S1.28][S3.31][S3.35][S3.37][S3.39][S3.40][S3.44][S2.36][S2.38][P12][P35]',
    async ({ behaviour, code, changes }) => {
      lab = await makeInstalled({ soak: '2s', ...changes });
      await lab.publish('2.0.0', behaviour);
      expect((await lab.updater('upgrade')).status).toBe(3);
      expect(await lab.facts()).toEqual(runs('1.0.0'));
      expect(await lab.lastEnd()).toMatchObject({
        outcome: 'rolled-back',
        failure: { code },
        quarantine: { version: '2.0.0', cause: 'gate' },
      });
      const again = await lab.updater('upgrade');
      expect(again.status).toBe(1);
      expect(again.stderr).toContain('--force quarantine');
      expect((await lab.facts()).running).toBe('1.0.0');
      await lab.publish('2.0.1');
      expect((await lab.updater('upgrade')).status).toBe(0);
      expect((await lab.facts()).running).toBe('2.0.1');
    },
  );

  it('to a version that never says READY ends with the old version running [F085][S3.36]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    // The old version does not notify either: only the candidate is started with the new type.
    await lab.configure({ soak: '1s', type: 'notify', startTimeout: '3s' });
    await lab.publish('2.0.0');
    expect((await lab.updater('upgrade')).status).toBeGreaterThanOrEqual(3);
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '' });
    expect(await lab.lastEnd()).toMatchObject({ quarantine: { version: '2.0.0' } });
  });

  it('from a version that ignores SIGTERM waits for its stop time-out and goes on [F090][S1.22]', async () => {
    lab = await makeLab();
    await lab.configure({ soak: '1s' });
    await lab.publish('1.0.0', 'deaf');
    await lab.updater('upgrade');
    await lab.publish('2.0.0');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('does not start a node that its operator has stopped [P15]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.host.sh('systemctl stop demo.service');
    await lab.publish('2.0.0');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', active: 'inactive', fallback: '' });
    await lab.host.sh('systemctl start demo.service');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('is refused while the unit of the fallback is masked, before anything is stopped [P30]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.host.sh('systemctl mask --runtime node-updater-revert@demo.service');
    await lab.publish('2.0.0');
    expect((await lab.updater('upgrade')).status).toBe(1);
    expect((await lab.facts()).running).toBe('1.0.0');
    expect(await lab.lastEnd()).toMatchObject({ outcome: 'unchanged', failure: { code: 'HOST_UNIT' } });
  });
});
