import { afterEach, describe, expect, it } from 'vitest';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const running = async () => (await lab.facts()).running;

describe('a release that moves the data to another epoch', () => {
  it('is not taken by itself, nor gone back from by itself: a person decides, and is told why [S2.40]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0', 'good', { epoch: 1, rollback: 'restore-data' });
    await lab.host.sh('rm /var/lib/node-updater/demo/check.json; systemctl start node-updater.service');
    await lab.host.waitFor('test -e /var/lib/node-updater/demo/check.json');
    expect((await lab.updater('why')).stdout).toContain('it moves the data from epoch 0 to 1');
    const refused = await lab.updater('upgrade');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('sudo node-updater upgrade demo --to 2.0.0 --force epoch');
    expect(await running()).toBe('1.0.0');
    expect((await lab.updater('upgrade', '--to', '2.0.0', '--force', 'epoch')).status).toBe(0);
    expect(await running()).toBe('2.0.0');
    for (const dry of [[], ['--dry-run']]) {
      const back = await lab.updater('rollback', ...dry);
      expect(back.status).toBe(1);
      expect(back.stderr).toContain('2.0.0 has moved the data to a format that 1.0.0 is not said to understand');
    }
    expect(await running()).toBe('2.0.0');
    await lab.publish('2.1.0', 'good', { epoch: 1, rollback: 'restore-data' });
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect((await lab.updater('rollback')).status).toBe(0);
    expect(await running()).toBe('2.0.0');
    expect((await lab.updater('rollback', '--to', '1.0.0', '--force', 'epoch')).status).toBe(0);
    expect(await running()).toBe('1.0.0');
  });
});
