/** The room that probes the node dies while it is needed: nothing is proven from then on, and no version is blamed. */
import { afterEach, expect, it } from 'vitest';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const ROOM = 'node-updater-probe@demo.service';
const inState = (state: string) =>
  lab.host.waitFor(`tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q '"intent".*"state":"${state}"'`);

async function upgrading(soak: string): Promise<void> {
  lab = await makeInstalled({ soak: '1s' });
  await lab.configure({ soak });
  await lab.publish('2.0.0');
  await lab.updater('upgrade', '--no-wait');
  await inState('soak');
}

it.each([
  { when: 'after probes have held', until: `grep -q '"failures":\\[\\]' /run/node-updater/demo/probe-report.jsonl` },
  { when: 'before it has probed once', until: `grep -q '"kind":"rounds"' /run/node-updater/demo/probe.json` },
])('a probe room that dies $when commits nothing and blames no version [F067]', async ({ until }) => {
  await upgrading('30s');
  await lab.host.sh(
    `until room=$(systemctl show -P MainPID ${ROOM}); [ "$room" != 0 ] && ${until}; do :; done; kill -KILL "$room"`,
  );
  expect(await lab.waitForEnd(2)).toBe('rolled-back');
  const end = await lab.lastEnd();
  expect(end).toMatchObject({ failure: { code: 'HOST_PROBE_ROOM' } });
  expect(end).not.toHaveProperty('quarantine');
  expect(await lab.facts()).toMatchObject({ current: '1.0.0', fallback: '', active: 'active', running: '1.0.0' });
});
