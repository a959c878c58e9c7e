/**
 * The fallback dies as well: everything of node-updater-revert@ is killed before each of its commands in turn. systemd
 * tries it again; then the same questions as always: link, running version, ledger, leftovers.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../rig/cases.ts';
import { aimAtRevert, type RevertAim } from '../rig/lab/aim.ts';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';

const SWITCH = 'mv -T fallback current';
const RESTART = 'systemctl --no-block try-restart demo.service';

let lab: Lab;
let aim: RevertAim;
let ends = 1;

beforeAll(async () => {
  lab = await makeInstalled({ soak: '1s' });
  await lab.publish('2.0.0');
  aim = await aimAtRevert(lab.host);
});
afterAll(() => lab[Symbol.asyncDispose]());

/** The updater dies in the soak of 2.0.0, and the fallback before this command, or its nth. */
async function dieBefore(command: number | string): Promise<void> {
  await lab.configure({ soak: '60s' });
  await lab.updater('upgrade', '--to', '2.0.0', '--force', 'quarantine', '--no-wait');
  await lab.host.waitFor(`tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q '"state":"soak"'`);
  // What is put back must hold for the shorter of this and five seconds.
  await lab.configure({ soak: '1s' });
  await aim.at(command);
  await lab.host.sh('systemctl kill --signal=KILL node-updater@demo.service');
  ends += 1;
}

const putBack = {
  outcome: 'rolled-back',
  current: '1.0.0',
  fallback: '',
  active: 'active',
  running: '1.0.0',
  leftovers: '',
  needsReload: 'no',
};

async function seen(): Promise<typeof putBack> {
  const outcome = await lab.waitForEnd(ends);
  const needsReload = await lab.host.sh('systemctl show -P NeedDaemonReload demo.service');
  return { outcome, ...(await lab.facts()), needsReload };
}

describe('when the fallback itself is killed', () => {
  it('before any of its commands, the old version runs in the end, and nothing is left over', async () => {
    const hits: string[] = [];
    await dieBefore(Infinity);
    expect(await seen()).toEqual(putBack);
    const nth = Array.from({ length: await aim.count() }, (_, n) => n + 1);
    for (const n of [SWITCH, RESTART, ...sample(nth, 5)]) {
      await dieBefore(n);
      const facts = await seen();
      const hit = await aim.hit();
      expect({ hit, ...facts }, `killed before command ${n}`).toEqual({ hit, ...putBack });
      hits.push(hit);
    }
    expect(hits).toEqual(expect.arrayContaining([SWITCH, RESTART]));
  }, 600_000);

  it('a run that comes before its next try does not take the candidate for the version that was put back', async () => {
    await aim.retryAfter('10s');
    await dieBefore(RESTART);
    await lab.host.waitFor('[ "$(systemctl show -P SubState node-updater-revert@demo.service)" = auto-restart ]');
    expect(await lab.facts()).toMatchObject({ current: '1.0.0', running: '2.0.0' });
    await lab.host.run(['systemctl', 'start', 'node-updater@demo.service']);
    expect(await seen()).toEqual(putBack);
  });
});
