import { afterEach, describe, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const upgrade = async (node: string): Promise<void> => {
  const { status, stderr } = await lab.updater('upgrade', node);
  expect(status, stderr).toBe(0);
};

/** Two nodes on one host, 1.0.0 committed on both; `demo` soaks for a minute, `other` for a second. */
async function bothInstalled(): Promise<void> {
  lab = await makeLab();
  await lab.configure({ soak: '1s' });
  await lab.configure({ soak: '1s' }, 'other');
  await lab.publish('1.0.0');
  await upgrade('demo');
  await upgrade('other');
  await lab.configure({ soak: '60s' });
}

/** `demo` has its candidate running, and soaks. */
async function demoSoaks(): Promise<void> {
  await lab.updater('upgrade', 'demo', '--no-wait');
  await lab.host.waitFor(`tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q '"state":"soak"'`);
}

const invocation = (node: string) => lab.host.sh(`systemctl show -P InvocationID ${node}.service`);

describe('two nodes on one host', () => {
  it('update at once: one that soaks holds the other up in nothing, and each has a lock of its own [F109]', async () => {
    await bothInstalled();
    await lab.publish('2.0.0');
    await demoSoaks();
    await upgrade('other');
    expect(await lab.facts('other')).toEqual(runs('2.0.0'));
    expect(await lab.facts()).toMatchObject({ current: '2.0.0', fallback: '1.0.0', running: '2.0.0' });
    const held = (node: string) =>
      lab.host.sh(`flock -n /run/node-updater/${node}.lock true && echo free || echo held`);
    expect([await held('demo'), await held('other')]).toEqual(['held', 'free']);
  });

  it('update at once while one hangs in its start: the other is committed meanwhile', async () => {
    await bothInstalled();
    // Never says READY, and may take a minute for it.
    await lab.configure({ type: 'notify', startTimeout: '60s' });
    await lab.publish('2.0.0');
    await lab.updater('upgrade', 'demo', '--no-wait');
    await lab.host.waitFor('[ "$(systemctl show -P ActiveState demo.service)" = activating ]');
    await upgrade('other');
    expect(await lab.facts('other')).toEqual(runs('2.0.0'));
    expect(await lab.facts()).toMatchObject({ active: 'activating', fallback: '1.0.0' });
  });

  it('are put back each by its own fallback: a killed updater of the one leaves the other as it is [F110]', async () => {
    await bothInstalled();
    await lab.publish('2.0.0');
    await demoSoaks();
    await upgrade('other');
    const before = await invocation('other');
    await lab.host.sh('systemctl kill --signal=KILL node-updater@demo.service');
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.facts('other')).toEqual(runs('2.0.0'));
    expect(await invocation('other')).toBe(before);
  });

  it('that both soak are both put back when both updaters are killed at once', async () => {
    await bothInstalled();
    await lab.configure({ soak: '60s' }, 'other');
    await lab.publish('2.0.0');
    await demoSoaks();
    await lab.updater('upgrade', 'other', '--no-wait');
    await lab.host.waitFor(`tail -n 1 /var/lib/node-updater/other/ledger.jsonl | grep -q '"state":"soak"'`);
    await lab.host.sh('systemctl kill --signal=KILL node-updater@demo.service node-updater@other.service');
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.waitForEnd(2, 'other')).toBe('rolled-back');
    expect([await lab.facts(), await lab.facts('other')]).toEqual([runs('1.0.0'), runs('1.0.0')]);
  });

  it('that take the same crashing version at the same moment are both put back, and both know why [F084]', async () => {
    await bothInstalled();
    await lab.configure({ soak: '2s' });
    await lab.configure({ soak: '2s' }, 'other');
    await lab.publish('2.0.0', 'crash 300');
    // As the timer does: one run asks both units.
    await lab.host.sh('rm /var/lib/node-updater/*/check.json; systemctl start node-updater.service');
    for (const node of ['demo', 'other'] as const) {
      expect(await lab.waitForEnd(2, node)).toBe('rolled-back');
      expect(await lab.facts(node)).toEqual(runs('1.0.0'));
      expect(await lab.lastEnd(node)).toMatchObject({
        failure: { code: 'GATE_EXITED' },
        quarantine: { version: '2.0.0' },
      });
    }
  });
});
