/** The backup room as systemd runs it. Orders are written here in the transaction's place. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isForNodeUp, type BackupLine, type BackupResult, type BackupWork } from '../../src/orders.ts';
import type { BackupSettings } from '../../src/settings.ts';
import type { Container } from '../rig/container/container.ts';
import { bootInstalled } from '../rig/container/installed.ts';

let host: Container;
beforeEach(async () => {
  host = await bootInstalled();
  await host.sh('useradd --system demo; install -d -o demo -g demo -m 2750 /srv/demo; install -d -m 700 /backup');
  await host.sh(`cd /srv/demo; runuser -u demo -- sh -c 'umask 077; mkdir keys; echo one >db; echo 1 >keys/k; ln db db2'
chown root:demo keys/k; chmod 2755 db; touch -d 2001-01-01 keys/k keys`);
});
afterEach(() => host[Symbol.asyncDispose]());

const settings: BackupSettings = {
  paths: ['/srv/demo'],
  exclude: [],
  neverRestore: [],
  directory: '/backup',
  keep: 1,
  method: 'auto',
};

async function order(work: BackupWork, change: Partial<BackupSettings> = {}): Promise<BackupLine> {
  const text = JSON.stringify({ schema: 1, id: 'o1', settings: { ...settings, ...change }, ...work });
  await host.push(Buffer.from(text), '/run/node-updater/demo/backup.json', 0o600);
  const report = '/run/node-updater/demo/backup-report.jsonl';
  await host.sh(`rm -f ${report}`);
  // The room belongs to a transaction, and would start one.
  const room = isForNodeUp(work) ? 'tend' : 'backup';
  await host.run(['systemctl', 'start', '--job-mode=ignore-dependencies', `node-updater-${room}@demo.service`]);
  return JSON.parse(await host.read(report)) as BackupLine;
}

async function done<Kind extends BackupWork['kind']>(
  work: Extract<BackupWork, { kind: Kind }>,
): Promise<Extract<BackupResult, { kind: Kind }>> {
  const line = await order(work);
  if (line.kind === 'failed') throw new Error(`${line.message}\n${await host.journal('-u', 'node-updater-*@demo')}`);
  return line.result as Extract<BackupResult, { kind: Kind }>;
}

const LOOK = `cd /srv/demo; find . -printf '%P %y %m %u %g %T@ %n\\n' | sort; sha256sum db keys/k`;

describe('the backup room', () => {
  it('needs four capabilities and no more to copy, check, put back and remove what others own', async () => {
    const before = await host.sh(LOOK);
    expect((await done({ kind: 'estimate' })).estimate).toMatchObject({ entries: 5 });
    const { backup } = await done({ kind: 'create', reason: 'test' });
    await done({ kind: 'seal', backup });
    await host.sh('cd /srv/demo; echo two >db; rm -r keys; chown root:root .');
    const { before: kept } = await done({ kind: 'restore', backup, restore: 'r1' });
    expect(await host.sh(LOOK)).toBe(before);
    expect(await host.sh(`cat ${kept[0] ?? ''}/db`)).toBe('two');
    await done({ kind: 'drop', restore: 'r1' });
    await done({ kind: 'create', reason: 'newer' });
    expect(await done({ kind: 'prune', needed: [] })).toMatchObject({ removed: [backup] });
    expect(await host.sh('ls -A /srv')).toBe('demo');
    const show = (name: string) => host.sh(`systemctl show -P ${name} node-updater-backup@demo.service`);
    const rights = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID'];
    for (const missing of rights) {
      const others = rights.filter((right) => right !== missing).join(' ');
      const dropIn = `[Service]\nCapabilityBoundingSet=\nCapabilityBoundingSet=${others}\n`;
      await host.push(Buffer.from(dropIn), '/run/systemd/system/node-updater-backup@.service.d/less.conf');
      await host.sh('systemctl daemon-reload');
      expect(await order({ kind: 'create', reason: 'x' }).catch(() => undefined), missing).not.toMatchObject({
        kind: 'done',
      });
    }
    await host.sh('rm -r /run/systemd/system/node-updater-backup@.service.d; systemctl daemon-reload');
    expect((await show('CapabilityBoundingSet')).split(' ').sort()).toEqual([
      'cap_chown',
      'cap_dac_override',
      'cap_fowner',
      'cap_fsetid',
    ]);
    expect(await show('PrivateNetwork')).toBe('yes');
  });

  it('may not write to versions, programs or configuration', async () => {
    for (const path of ['/opt/demo/data', '/usr/local/data', '/etc/demo']) {
      await host.sh(`mkdir -p ${path}; echo x >${path}/file`);
      const line = await order({ kind: 'create', reason: 'x' }, { paths: [path], directory: `${path}/b` });
      expect(line, path).toMatchObject({ kind: 'failed', code: 'DISK_READ_ONLY' });
    }
  });

  it('is asked for by people through list and verify, which need root', async () => {
    const file = `binary = "bin/demod"\n[source]\nurl = "file:///m"\n[trust]\nkeys = [{ file = "k", fingerprint = "${'A'.repeat(40)}" }]
[backup]\npaths = "/srv/demo"\ndirectory = "/backup"\n`;
    await host.push(Buffer.from(file), '/etc/node-updater/nodes.d/demo.toml');
    const { backup } = await done({ kind: 'create', reason: 'before 2.0.0' });
    const updater = (...words: string[]) => host.run(['node-updater', 'backup', ...words]);
    expect((await updater('list')).stdout).toContain('before 2.0.0; content not read yet');
    const unread = { status: 0, stdout: expect.stringContaining('nobody knows their content') as string };
    expect(await updater('verify')).toMatchObject(unread);
    expect(await updater('restore', '--dry-run')).toMatchObject(unread);
    await done({ kind: 'seal', backup });
    expect(await updater('verify')).toMatchObject({ status: 0, stdout: `${backup} is whole.\n` });
    expect((await updater('restore', '--dry-run')).stdout).toContain(`${backup} is whole.`);
    await host.sh(`echo x >>/backup/${backup}/0/db`);
    expect(await updater('verify', backup)).toMatchObject({ status: 5 });
    const estimate = await updater('create', '--dry-run');
    expect(estimate.stdout).toContain('No backup was made.');
    expect((await host.run(['node-updater', 'backup', 'list'], { user: 'nobody' })).status).toBe(77);
  });
});
