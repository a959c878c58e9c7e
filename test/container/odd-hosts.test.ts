/** Hosts that somebody, or something, has meddled with: what is refused, what is taken all the same, and what nobody deletes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import type { Behaviour } from '../rig/lab/tree.ts';

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';
const OLD = '0.9.0';
let lab: Lab;
/** Each test leaves the host with the last version committed, so that the next one begins there. */
let last = 0;
const version = () => `${String(last)}.0.0`;

beforeAll(async () => {
  lab = await makeLab();
  await lab.configure({ soak: '1s' });
  await takesNext();
  await takesNext();
});
afterAll(() => lab[Symbol.asyncDispose]());

async function publishNext(behaviour?: Behaviour): Promise<void> {
  last++;
  await lab.publish(version(), behaviour);
}

async function upgraded(): Promise<void> {
  const { status, stderr } = await lab.updater('upgrade');
  expect(status, stderr).toBe(0);
  expect(await lab.facts()).toEqual(runs(version()));
}

async function takesNext(): Promise<void> {
  await publishNext();
  await upgraded();
}

const runs = (running: string) => ({ current: running, fallback: '', active: 'active', running, leftovers: '' });
const before = () => `${String(last - 1)}.0.0`;

/** An upgrade ends with `status` and these words, and the node has not been touched. */
async function refused(status: number, words: string | RegExp): Promise<void> {
  const process = await lab.host.sh('systemctl show -P MainPID demo.service');
  const asked = await lab.updater('upgrade');
  expect(asked.status, asked.stderr).toBe(status);
  expect(asked.stdout + asked.stderr).toMatch(words);
  expect(await lab.host.sh('systemctl show -P MainPID demo.service')).toBe(process);
}

describe('a ledger', () => {
  it.each([
    { name: 'that is garbage', damage: `head -c 3000 /dev/urandom >${LEDGER}`, says: /damaged at line 1/ },
    {
      name: 'of a newer node-updater',
      damage: `sed -i '2,$d; s/"v":1/"v":2/' ${LEDGER}`,
      says: /newer node-updater/,
    },
  ])(
    '$name stops updates of its node alone: the daemon runs, also after a boot, nothing is deleted, nothing guessed [F076][F077][P31][P32]',
    async ({ damage, says }) => {
      await publishNext();
      await lab.host.sh(damage);
      const look = `sha256sum ${LEDGER}; ls -A /opt/demo/versions`;
      const found = await lab.host.sh(look);
      await refused(1, says);
      expect((await lab.updater('prune', '--keep', '2')).status).toBe(1);
      expect((await lab.updater('rollback')).status).toBe(1);
      await lab.host.run(['systemctl', 'start', 'node-updater.service']);
      await lab.host.reboot();
      expect(await lab.facts()).toEqual(runs(before()));
      expect(await lab.host.sh(look)).toBe(found);
      // What the remedy says.
      await lab.host.sh(`mv ${LEDGER} ${LEDGER}.damaged`);
      await upgraded();
    },
  );

  it.each([
    { name: 'that is empty', damage: `truncate -s 0 ${LEDGER}` },
    { name: 'whose last record is torn', damage: `truncate -s -7 ${LEDGER}` },
  ])('$name keeps nobody from the next update [F075]', async ({ damage }) => {
    await lab.host.sh(damage);
    await takesNext();
  });
});

describe('`current`', () => {
  it.each([
    { name: 'names a version that is gone', damage: `ln -sfn versions/${OLD} current` },
    { name: 'leads out of /opt/NODE', damage: 'ln -sfn /usr current' },
    { name: 'is a directory', damage: 'cp -rL current directory; rm current; mv directory current' },
  ])('that $name is left to its operator, and works again once it is mended [F078]', async ({ damage }) => {
    const good = await lab.host.sh('readlink /opt/demo/current');
    await publishNext();
    await lab.host.sh(`cd /opt/demo; ${damage}`);
    const look = 'ls -ld --time-style=full-iso /opt/demo/current';
    const found = await lab.host.sh(look);
    await refused(1, /\/opt\/demo\/current/);
    expect(await lab.host.sh(look)).toBe(found);
    await lab.host.sh(`cd /opt/demo; rm -rf current; ln -s ${good} current`);
    await upgraded();
  });

  it('that is gone is what a first installation finds, and is made anew [F078]', async () => {
    await lab.host.sh('rm /opt/demo/current');
    await upgraded();
  });
});

describe('a version that takes its host down', () => {
  it('each time that it is tried is tried twice, and then no more; every boot is of the committed one [F080]', async () => {
    await lab.configure({ soak: '60s' });
    await publishNext();
    const ends = (await lab.ledger()).filter(({ entry }) => entry.kind === 'ended').length;
    for (const more of [1, 2]) {
      await lab.updater('upgrade', '--no-wait');
      await lab.host.waitFor(`[ "$(readlink /opt/demo/current)" = versions/${version()} ]`);
      await lab.host.waitFor(`tail -n 1 ${LEDGER} | grep -q '"state":"soak"'`);
      await lab.host.crash();
      await lab.host.boot();
      expect(await lab.facts()).toMatchObject({ current: before(), running: before(), fallback: '' });
      await lab.host.run(['systemctl', 'start', 'node-updater@demo.service']);
      expect(await lab.waitForEnd(ends + more)).toBe('rolled-back');
    }
    expect(await lab.lastEnd()).toMatchObject({ quarantine: { version: version(), cause: 'interrupted' } });
    expect((await lab.updater('upgrade')).status).toBe(1);
    expect(await lab.facts()).toEqual(runs(before()));
    await lab.configure({ soak: '1s' });
    await takesNext();
  });
});

describe('where the versions lie', () => {
  it('may be a file system of its own: nothing is renamed from one to another [F068]', async () => {
    await lab.host.sh(`
      mkdir /srv/other; mount -t tmpfs -o mode=755 none /srv/other
      cp -a /opt/demo/versions/. /srv/other/; mount --bind /srv/other /opt/demo/versions`);
    await takesNext();
    await publishNext('crash 300');
    expect((await lab.updater('upgrade')).status).toBe(3);
    expect(await lab.facts()).toEqual(runs(before()));
    await lab.host.sh('cp -a /srv/other /srv/kept; umount /opt/demo/versions; cp -a /srv/kept/. /opt/demo/versions/');
    await lab.host.sh('systemctl restart demo.service; umount /srv/other');
    await takesNext();
  });

  it('/opt/NODE must be root’s own: who can rename in it decides what runs [F117]', async () => {
    await publishNext();
    for (const open of ['chown demo /opt/demo', 'chmod 775 /opt/demo']) {
      await lab.host.sh(open);
      await refused(1, /\/opt\/demo is not a directory that only root can write/);
      await lab.host.sh('chown root:root /opt/demo; chmod 755 /opt/demo');
    }
    await upgraded();
  });

  it('that is immutable is met before the switch, and nothing is left half done [F069]', async () => {
    await publishNext();
    await lab.host.sh('chattr +i /opt/demo');
    await refused(1, /\/opt\/demo/);
    expect(await lab.facts()).toEqual(runs(before()));
    expect(await lab.lastEnd()).not.toHaveProperty('quarantine');
    await lab.host.sh('chattr -i /opt/demo');
    await upgraded();
  });

  it('a version that cannot be removed is a warning in the journal, and no reason to fail [S1.21][S2.34]', async () => {
    const oldest = `/opt/demo/versions/${await lab.host.sh('ls -v /opt/demo/versions | head -n 1')}`;
    await lab.host.sh(`mount --bind ${oldest} ${oldest}`);
    await takesNext();
    expect(await lab.lastEnd()).toMatchObject({ outcome: 'committed' });
    expect(await lab.host.journal('-u', 'node-updater@demo.service', '-o', 'cat')).toMatch(/stays: .*EBUSY/);
    expect(await lab.host.run(['ls', oldest])).toMatchObject({ status: 0 });
    await lab.host.sh(`umount ${oldest}`);
    await takesNext();
    expect((await lab.host.run(['ls', oldest])).status).not.toBe(0);
  });

  it('what somebody edits in a version is not in the way of the next update', async () => {
    await lab.host.sh('cd /opt/demo/current/share; echo "// mine" >>demod.mjs; rm epoch');
    await takesNext();
    expect(await lab.host.sh('cat /opt/demo/current/share/demod.mjs')).not.toContain('// mine');
  });
});

describe('an operator', () => {
  it.each(['0077', '0000'])(
    'with a umask of %s gets files that their readers can read and nobody else can write [P21]',
    async (mask) => {
      await publishNext();
      const asked = await lab.host.run(['sh', '-c', `umask ${mask}; node-updater upgrade`], { timeout: 120 });
      expect(asked.status, asked.stderr).toBe(0);
      expect(await lab.facts()).toEqual(runs(version()));
      const looked = await lab.host.run(['node-updater', 'history'], { user: 'nobody' });
      expect(looked.status, looked.stderr).toBe(0);
      expect(looked.stdout).toContain(version());
      const places = '/opt/demo /etc/systemd/system /var/lib/node-updater /var/cache/node-updater /run/node-updater';
      expect(await lab.host.sh(`find ${places} ! -type l -perm /022`)).toBe('');
    },
  );

  it('who changes the keys after a release was staged has it judged by the new ones: it is not activated [F113]', async () => {
    await publishNext();
    await lab.host.sh('mount --bind /opt/demo /opt/demo && mount -o remount,bind,noexec /opt/demo');
    await refused(1, /noexec/);
    expect(await lab.host.sh('ls /opt/demo/versions')).toContain(version());
    await lab.host.sh(`
      mount -o remount,bind,exec /opt/demo
      sed -i.before 's/fingerprint = "[0-9A-F]\\{4\\}/fingerprint = "0000/' /etc/node-updater/nodes.d/demo.toml`);
    await refused(5, /demo\.asc/);
    expect(await lab.facts()).toEqual(runs(before()));
    await lab.host.sh('cd /etc/node-updater/nodes.d; mv demo.toml.before demo.toml');
    await upgraded();
  });
});
