import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parseVersion, type Version } from '../../src/release.ts';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

describe('what a person is told', () => {
  it('status shows a node whose configuration is broken, with file, line, key and remedy, and ends with 78', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.host.sh(`sed -i 's/^soak = .*/soak = "soon"/' /etc/node-updater/nodes.d/demo.toml`);
    const said = await lab.host.run(['node-updater', 'status'], { user: 'nobody' });
    expect(said.status).toBe(78);
    expect(said.stdout).toMatch(/demo +1\.0\.0 .*committed, configuration broken/);
    expect(said.stdout).toMatch(/\/etc\/node-updater\/nodes\.d\/demo\.toml:\d+: gate\.soak/);
    expect(said.stdout).toContain('→ Edit /etc/node-updater/nodes.d/demo.toml.');
    expect((await lab.updater('why')).status).toBe(78);
  });

  it('who asks for a version that failed here is refused with 1 and told how to overrule that; the timer has nothing to do', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0', 'crash 300');
    expect((await lab.updater('upgrade')).status).toBe(3);
    const ends = (await lab.ledger()).length;
    for (const words of [['upgrade'], ['upgrade', '--to', '2.0.0'], ['upgrade', '--dry-run']]) {
      const { status, stdout, stderr } = await lab.updater(...words);
      expect(status).toBe(1);
      expect(stdout + stderr).toContain('2.0.0 failed here: demo.service exited');
      expect(stdout + stderr).toContain('sudo node-updater upgrade demo --to 2.0.0 --force quarantine');
    }
    expect((await lab.ledger()).slice(ends).filter(({ entry }) => entry.kind === 'opened')).toEqual([]);
    await lab.host.sh('systemctl start node-updater.service');
    expect(await lab.host.sh('systemctl show -P Result node-updater@demo.service')).toBe('success');
    expect((await lab.updater('upgrade', '--to', '1.0.0')).status).toBe(0);
  });

  it('a rollback that systemd cannot do ends with 4 and with what systemd said, and is done once it can be [P33]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.configure({ soak: '60s' });
    await lab.publish('2.0.0');
    await lab.updater('upgrade', '--no-wait');
    await lab.host.waitFor('node-updater status | grep -q soaking');
    await lab.host.sh('mv /opt/demo/versions/1.0.0 /root/');
    const { status, stderr } = await lab.updater('rollback');
    expect(status, stderr).toBe(4);
    expect(stderr).toContain('versions/1.0.0 is gone');
    expect(stderr).toContain('rm /opt/demo/fallback');
    const again = await lab.updater('upgrade');
    expect(again.status, again.stderr).toBe(4);
    const told = await lab.updater('status');
    expect(told.status).toBe(4);
    expect(told.stdout).toContain('cannot be put back to 1.0.0');
    await lab.host.sh('mv /root/1.0.0 /opt/demo/versions/; systemctl restart node-updater-revert@demo.service');
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', running: '1.0.0', fallback: '' });
    expect(await lab.lastEnd()).toMatchObject({ quarantine: { version: '2.0.0', cause: 'operator' } });
  });

  it('a rollback of a node that its operator stopped is refused, and so is its dry run', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.updater('upgrade');
    await lab.host.sh('systemctl stop demo.service');
    for (const words of [['rollback', '--dry-run'], ['rollback']]) {
      const { status, stderr } = await lab.updater(...words);
      expect(status, stderr).toBe(1);
      expect(stderr).toContain('Start the node');
    }
    expect(await lab.facts()).toMatchObject({ current: '2.0.0', active: 'inactive', leftovers: '' });
  });

  it('a damaged ledger is what why names, not that no gate blocks', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.updater('check');
    await lab.host.sh(`sed -i '3s/./X/' /var/lib/node-updater/demo/ledger.jsonl`);
    const { status, stdout } = await lab.updater('why');
    expect(status).toBe(1);
    expect(stdout).toContain('No update is taken until this is mended');
    expect(stdout).toContain('ledger.jsonl is damaged at line 3');
    expect(stdout).not.toContain('no gate blocks');
  });

  it('check says what its look warns of, and what to type', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.publisher.renew({ withdrawn: [parseVersion('1.0.0') as Version] });
    await lab.host.push(join(lab.publisher.site, 'manifest.json'), '/srv/releases/manifest.json', 0o644);
    const { stdout } = await lab.updater('check');
    expect(stdout).toContain('Warning: 1.0.0, which runs, was withdrawn by its publisher\n  → It runs on until');
    const report = JSON.parse((await lab.updater('check', '--json')).stdout) as unknown;
    expect(report).toMatchObject({ result: 'answered', warnings: [{ code: 'POLICY_WITHDRAWN' }] });
  });
});
