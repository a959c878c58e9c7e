/** What is done about backups while the node runs takes hours on a large one: nobody may have to wait for it. */
import { afterEach, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';
const TENDS = 'test "$(systemctl show -P ActiveState node-updater-tend@demo)" = activating';

it('while a backup is read, a node that exits is back at once, a rollback does not wait, and the backup is read with the next [S1.24]', async () => {
  lab = await makeLab();
  await lab.host.sh('install -d -o demo -g demo -m 750 /srv/demo');
  await lab.configure({ soak: '1s', data: '' });
  await lab.publish('1.0.0');
  expect((await lab.updater('upgrade')).status).toBe(0);
  await lab.publish('1.1.0');
  await lab.updater('upgrade', '--no-wait');
  await lab.host.waitFor(`tail -n 2 ${LEDGER} | grep -q '"state":"soak"'`);
  const dropIn = '/etc/systemd/system/node-updater-tend@.service.d/test.conf';
  const reading = `sh -c '! grep -q "\\"seal\\"" /run/node-updater/demo/backup.json || exec sleep 600'`;
  await lab.host.push(Buffer.from(`[Service]\nExecStartPre=${reading}\n`), dropIn, 0o644);
  await lab.host.sh('systemctl daemon-reload');
  await lab.host.waitFor(`tail -n 2 ${LEDGER} | grep -q '"state":"prune"' && ${TENDS}`);
  await lab.host.sh('systemctl kill --signal=KILL demo.service');
  await lab.host.waitFor('test "$(systemctl show -P NRestarts demo)" = 1 && systemctl -q is-active demo');
  await lab.host.sh(TENDS);

  const back = await lab.updater('rollback');
  expect(back.status, back.stdout + back.stderr).toBe(0);
  expect(await lab.facts()).toMatchObject({ current: '1.0.0', running: '1.0.0', leftovers: '' });
  expect((await lab.updater('backup', 'verify')).stdout).toContain('nobody knows their content');

  await lab.host.sh(`rm ${dropIn}; systemctl daemon-reload`);
  expect((await lab.updater('backup', 'create')).status).toBe(0);
  const verified = await lab.updater('backup', 'verify');
  expect(verified.stdout.match(/is whole/g), verified.stdout).toHaveLength(2);
});
