/** A power cut that brings back what held a node down for a restore, after that restore has ended. */
import { afterEach, describe, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const MARK = '/var/lib/node-updater/demo/restoring';
const held = () => lab.host.sh(`ls ${MARK} 2>/dev/null || true`);
const starts = () => lab.host.sh('echo $(cat /srv/demo/starts)');
const journal = () => lab.host.sh('journalctl -b -o cat -u node-updater@demo.service');

/** A node whose data was put back; the ledger has nothing open. */
async function restored(): Promise<void> {
  lab = await makeLab();
  await lab.host.sh('install -d -o demo -g demo -m 750 /srv/demo');
  await lab.configure({ soak: '1s', data: '' });
  await lab.publish('1.0.0');
  for (const words of [['upgrade'], ['backup', 'create'], ['backup', 'restore']]) {
    const { status, stdout, stderr } = await lab.updater(...words);
    expect(status, stdout + stderr).toBe(0);
  }
  expect(await held()).toBe('');
}

/** What the file said as the restore ended, and what the disk still says after the power cut. */
const broughtBack = (rests = '') =>
  lab.host.sh(`cd /var/lib/node-updater/demo; printf '%s\\n' "$(ls backups)" ${rests} >${MARK}; sync`);

describe('a node that a power cut finds held down again, its restore long ended', () => {
  it('runs again after the boot without a person, and the journal says what held it [F072]', async () => {
    await restored();
    const before = await starts();
    await broughtBack();
    await lab.host.crash();
    await lab.host.boot();
    await lab.host.waitFor(`[ ! -e ${MARK} ] && systemctl is-active --quiet demo.service`);
    await lab.host.waitFor('[ -z "$(systemctl list-jobs --no-legend)" ]');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await starts()).toBe(`${before} 1.0.0`);
    expect(await journal()).toMatch(/holds demo.service down[^]*is let go, and runs again/);
  });

  it('stays stopped where its operator has stopped it, and is free to be started by him [F072][F086]', async () => {
    await restored();
    await lab.host.sh('systemctl disable --now demo.service');
    await broughtBack('"rests $(tr -d - </proc/sys/kernel/random/boot_id)"');
    await lab.host.crash();
    await lab.host.boot();
    const before = await starts();
    await lab.host.sh('systemctl start node-updater.service');
    await lab.host.waitFor(`[ ! -e ${MARK} ]`);
    await lab.host.waitFor('[ -z "$(systemctl list-jobs --no-legend)" ]');
    expect(await lab.facts()).toEqual({ ...runs('1.0.0'), active: 'inactive', running: 'none' });
    expect(await starts()).toBe(before);
    expect(await journal()).toContain('stays stopped, as its operator left it');
    await lab.host.sh('systemctl start demo.service');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });
});
