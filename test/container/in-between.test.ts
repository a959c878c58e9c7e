/** What an operator types, and what fails, in the few moments in which it matters most. The model found these moments. */
import { afterEach, describe, expect, it } from 'vitest';
import { aimAtRevert } from '../rig/lab/aim.ts';
import { makeInstalled } from '../rig/lab/installed.ts';
import { makeLab, type Lab } from '../rig/lab/lab.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';

/** 1.0.0 is installed, and 2.0.0 is in its soak. */
async function soaking(): Promise<void> {
  lab = await makeInstalled({ soak: '1s' });
  await lab.publish('2.0.0');
  await lab.configure({ soak: '60s' });
  await lab.updater('upgrade', '--no-wait');
  await lab.host.waitFor(`tail -n 1 ${LEDGER} | grep -q '"state":"soak"'`);
  await lab.configure({ soak: '1s' });
}

/** The updater dies, and just before this command of the fallback its operator types something. */
async function killedAndTyped(command: string, typed: string): Promise<void> {
  const aim = await aimAtRevert(lab.host);
  await aim.typedBefore(command, typed);
  await lab.host.sh('systemctl kill --signal=KILL node-updater@demo.service');
  await lab.waitForEnd(2);
  expect(await aim.hit()).toBe(command);
}

describe('while the fallback acts', () => {
  it('an operator who stops the node wins: nobody starts it, and the ledger says who stopped it [F086]', async () => {
    await soaking();
    await killedAndTyped('mv -T fallback current', 'systemctl stop demo.service');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '', active: 'inactive', leftovers: '' });
    expect((await lab.lastEnd())?.outcome).toBe('stopped-by-operator');
  });

  it('an operator who starts the node does not keep it from being restarted on the old link', async () => {
    await soaking();
    await killedAndTyped('systemctl stop node-updater@demo.service', '/usr/bin/systemctl start demo.service');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', active: 'active', running: '1.0.0', leftovers: '' });
    expect((await lab.lastEnd())?.outcome).toBe('rolled-back');
  });
});

describe('a rollback', () => {
  it('that is cut short and asked for again is made again, and blames no version but the one it leaves', async () => {
    await soaking();
    await lab.host.sh('systemctl stop node-updater@demo.service');
    await lab.waitForEnd(2);
    expect((await lab.updater('upgrade', '--to', '2.0.0', '--force', 'quarantine')).status).toBe(0);
    await lab.configure({ soak: '60s' });
    await lab.updater('rollback', '--no-wait');
    await lab.host.waitFor(`tail -n 1 ${LEDGER} | grep -q '"state":"soak"'`);
    await lab.configure({ soak: '1s' });
    const { status, stdout, stderr } = await lab.updater('rollback', '--to', '1.0.0');
    expect(status, stdout + stderr).toBe(0);
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', running: '1.0.0', leftovers: '' });
    const blamed = (await lab.ledger()).flatMap(({ entry }) =>
      entry.kind === 'ended' ? (entry.quarantine ?? []) : [],
    );
    expect(blamed.filter(({ version }) => version === '1.0.0')).toEqual([]);
    expect(blamed.at(-1)).toMatchObject({ version: '2.0.0', cause: 'operator' });
  });
});

describe('a first installation', () => {
  it('that is committed boots, also when not everything could be tidied up after its commit', async () => {
    lab = await makeLab();
    await lab.configure({ soak: '3s' });
    await lab.publish('1.0.0');
    await lab.updater('upgrade', '--no-wait');
    await lab.host.waitFor(`tail -n 1 ${LEDGER} | grep -q '"state":"soak"'`);
    // What is no file is not removed as one.
    await lab.host.sh('mkdir /run/node-updater/demo/stopped');
    expect(await lab.waitForEnd(1)).toBe('committed');
    expect(await lab.host.sh('systemctl is-enabled demo.service')).toBe('enabled');
    expect(
      (await lab.ledger()).some(
        ({ entry }) => entry.kind === 'result' && entry.state === 'clean' && entry.event === 'failed',
      ),
    ).toBe(true);
    await lab.host.sh('rmdir /run/node-updater/demo/stopped');
    await lab.host.sh('systemctl start node-updater@demo.service');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', running: '1.0.0', leftovers: '' });
  });
});

describe('a backup whose updater goes down before it is proven', () => {
  it('leaves a node alone that its operator stops meanwhile, and that answers him with an error [F086]', async () => {
    lab = await makeLab();
    await lab.host.sh('install -d -o demo -g demo -m 750 /srv/demo');
    await lab.configure({ soak: '1s', data: '' });
    await lab.publish('1.0.0', 'sulky');
    expect((await lab.updater('upgrade')).status).toBe(0);
    await lab.configure({ soak: '60s', data: '' });
    await lab.updater('backup', 'create', '--no-wait');
    await lab.host.waitFor(`tail -n 1 ${LEDGER} | grep -q '"state":"soak"'`);
    // The probation is over by then, for systemd.
    await killedAndTyped('systemctl daemon-reload', '/usr/bin/systemctl stop demo.service');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', active: 'failed', running: 'none', leftovers: '' });
    expect((await lab.lastEnd())?.outcome).toBe('stopped-by-operator');
  });
});
