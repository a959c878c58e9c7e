/** What a newer package of node-updater itself means for an update of a node that is under way. */
import { afterEach, expect, it } from 'vitest';
import { builtPackage } from '../rig/container/installed.ts';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

/** Another version of the same package, whose parts all have other names, as after any change of the program. */
const NEXT = `cd /srv && dpkg-deb -R this.deb next && sed -i 's/^Version:.*/Version: 99.0/' next/DEBIAN/control
cd next/usr/lib/node-autoupdate && sed -i -E 's/(-[A-Z0-9]{8})\\.mjs/\\1-next.mjs/g' *.mjs
for part in *-????????.mjs; do mv "$part" "\${part%.mjs}-next.mjs"; done
cd /srv && dpkg-deb --root-owner-group -Znone -b next next.deb`;

it('an upgrade of node-updater in the soak of a node ends nothing: the update is committed, and the new program goes on from there [F111]', async () => {
  lab = await makeInstalled({ soak: '1s' });
  await lab.host.push(await builtPackage(), '/srv/this.deb');
  await lab.host.sh(NEXT);
  await lab.configure({ soak: '15s' });
  await lab.publish('2.0.0');
  await lab.updater('upgrade', '--no-wait');
  await lab.host.waitFor('tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q soak');
  const before = await lab.host.sh('systemctl show -P InvocationID node-updater@demo.service');
  await lab.host.sh('DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet /srv/next.deb');
  expect(await lab.host.sh('dpkg-query -W -f "\\${Version}" node-autoupdate')).toBe('99.0');
  expect(await lab.host.sh('systemctl show -P InvocationID node-updater@demo.service')).toBe(before);
  expect(await lab.waitForEnd(2)).toBe('committed');
  expect(await lab.facts()).toMatchObject({ current: '2.0.0', running: '2.0.0', leftovers: '' });
  const back = await lab.updater('rollback');
  expect(back.status, back.stdout + back.stderr).toBe(0);
  expect(await lab.facts()).toMatchObject({ current: '1.0.0', running: '1.0.0', leftovers: '' });
});
