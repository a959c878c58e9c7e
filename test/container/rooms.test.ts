/** The rooms, attacked: a fetch room that was taken over, and what the rooms can reach from within their sandboxes. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

const ROOMS = join(import.meta.dirname, '../fixtures/rooms');
let lab: Lab;

/** A host whose node runs 1.0.0, committed, and may take 2.0.0. */
async function installed(): Promise<void> {
  lab = await makeInstalled({ soak: '1s' });
  await lab.publish('2.0.0');
}

/** From now on the unit runs something else, in its own sandbox. */
async function exchange(unit: string, command: string): Promise<void> {
  const text = `[Service]\nExecStart=\nExecStart=${command}\nStandardOutput=journal\n`;
  await lab.host.push(Buffer.from(text), `/run/systemd/system/${unit}@.service.d/hostile.conf`);
  await lab.host.sh('systemctl daemon-reload');
}

async function replace(unit: string, program: string): Promise<void> {
  await lab.host.push(join(ROOMS, program), `/srv/${program}`);
  await exchange(unit, `/usr/lib/node-autoupdate/node /srv/${program} %i`);
}

async function restored(unit: string): Promise<void> {
  await lab.host.sh(`rm /run/systemd/system/${unit}@.service.d/hostile.conf; systemctl daemon-reload`);
}

async function attack(name: string): Promise<{ status: number | null; code: string | undefined; said: string }> {
  await lab.host.push(Buffer.from(name), '/srv/attack');
  const { status, stdout, stderr } = await lab.updater('upgrade');
  return { status, code: (await lab.lastEnd())?.failure?.code, said: stdout + stderr };
}

const processes = 'pgrep -u node-updater';

describe('a fetch room that was taken over', () => {
  beforeAll(async () => {
    await installed();
    await replace('node-updater-fetch', 'hostile.mjs');
  });
  beforeEach(() => lab.host.sh('find /var/cache/node-updater/demo -mindepth 1 -delete'));
  afterAll(() => lab[Symbol.asyncDispose]());

  it.each([
    {
      name: 'symlink',
      title: 'leaves a link to a file of root in place of the archive [F053][F054]',
      code: 'TRUST_SPOOL',
    },
    { name: 'symlink-own', title: 'leaves a link to the right bytes [F053][F054]', code: 'TRUST_SPOOL' },
    { name: 'fifo', title: 'leaves a FIFO in its place [F054]', code: 'TRUST_SPOOL' },
    { name: 'hardlink', title: 'keeps a second name of it [F054]', code: 'TRUST_SPOOL' },
    { name: 'directory', title: 'leaves a directory in its place [F054]', code: 'TRUST_SPOOL' },
    { name: 'device', title: 'would leave a device in its place [F054]', code: 'TRUST_SPOOL' },
    { name: 'open', title: 'opens its directory to everybody [F056]', code: 'SOURCE_FETCH_DIED' },
    { name: 'bytes', title: 'leaves other bytes of the same length', code: 'TRUST_DIGEST' },
    { name: 'longer', title: 'leaves a byte more', code: 'TRUST_SIZE' },
    { name: 'shorter', title: 'leaves a byte less', code: 'TRUST_SIZE' },
    { name: 'nothing', title: 'leaves nothing and says that it fetched', code: 'TRUST_SPOOL' },
    { name: 'claims', title: 'reports what it was not asked for', code: 'TRUST_SPOOL' },
    { name: 'babble', title: 'leaves half a report', code: 'SOURCE_FETCH_DIED' },
    { name: 'other-id', title: 'leaves the report of another order', code: 'SOURCE_FETCH_DIED' },
    { name: 'silent', title: 'leaves no report', code: 'SOURCE_FETCH_DIED' },
    { name: 'report-fifo', title: 'leaves a FIFO in place of its report [F054]', code: 'SOURCE_FETCH_DIED' },
    { name: 'report-endless', title: 'leaves a report of a million characters', code: 'SOURCE_FETCH_DIED' },
  ])('and $title is refused with $code; the node runs on, and nobody is blamed', async ({ name, code }) => {
    const before = await lab.host.sh('systemctl show -P MainPID demo.service');
    const refused = await attack(name);
    expect(refused, refused.said).toMatchObject({ code, status: code.startsWith('TRUST') ? 5 : 75 });
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.host.sh('systemctl show -P MainPID demo.service')).toBe(before);
    expect((await lab.lastEnd())?.quarantine).toBeUndefined();
    await lab.host.waitFor(`! ${processes}`);
  });

  it('could make no device [F054]', async () => {
    const said = await lab.host.journal(
      '--unit',
      'node-updater-fetch@demo.service',
      '--output=cat',
      '--grep=^mknod ended',
    );
    expect(said).toMatch(/^mknod ended with 1$/m);
  });

  it('and changes the manifest is refused, and no transaction begins', async () => {
    await lab.publish('2.0.1'); // or the server would say that nothing is new
    const ends = (await lab.ledger()).length;
    const { status, said } = await attack('manifest');
    expect(status, said).toBe(5);
    expect((await lab.ledger()).slice(ends).filter(({ entry }) => entry.kind === 'opened')).toEqual([]);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('and fills its disk is refused, and the node runs on; once there is room, an honest fetch goes through', async () => {
    await lab.host.sh('mount -t tmpfs -o size=16M tmpfs /var/cache/node-updater');
    const refused = await attack('fill');
    expect(refused.code, refused.said).toMatch(/^(SOURCE_FETCH_DIED|DISK_SPACE)$/);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    await lab.host.sh('umount /var/cache/node-updater');
    await restored('node-updater-fetch');
    const { status, stderr } = await lab.updater('upgrade');
    expect(status, stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.1'));
  });

  it('and swaps the archive for ever, from a process that outlives its unit, gets nothing but the signed bytes taken [F053]', async () => {
    await replace('node-updater-fetch', 'hostile.mjs');
    await lab.publish('3.0.0');
    const outcomes: (string | undefined)[] = [];
    for (let round = 0; round < 4; round++) {
      const { status, code, said } = await attack('swap');
      expect(Number(await lab.host.sh('cat /var/cache/node-updater/demo/swaps || echo -1'))).not.toBe(NaN);
      await lab.host.waitFor(`! ${processes}`, { timeout: 10 });
      if (status === 0) {
        outcomes.push('taken');
        break;
      }
      expect(code, said).toMatch(/^TRUST_(SPOOL|SIZE|DIGEST)$/);
      expect(await lab.facts()).toEqual(runs('2.0.1'));
      outcomes.push(code);
    }
    console.log('an archive that is swapped for ever:', outcomes.join(' '));
    await restored('node-updater-fetch');
    if (!outcomes.includes('taken')) expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('3.0.0'));
    const theirs = await readFile(join(lab.publisher.root, 'trees/3.0.0/share/demod.mjs'));
    const ours = await lab.host.sh('sha256sum </opt/demo/versions/3.0.0/share/demod.mjs');
    expect(ours).toContain(createHash('sha256').update(theirs).digest('hex'));
  });
});

interface Seen {
  readonly uid: number;
  readonly writable: readonly string[];
  readonly tcp4: string;
  readonly interfaces: readonly string[];
}

const OF_THE_TRANSACTION = [
  ...['/etc/systemd/system', '/opt', '/run/node-updater', '/run/systemd/system'],
  ...['/tmp', '/var/lib/node-updater', '/var/tmp'],
];

/** What the looking program sees from within the unit. */
async function lookFrom(unit: string): Promise<Seen> {
  await replace(unit, 'looking.mjs');
  try {
    await lab.host.sh(`systemctl start ${unit}@demo.service`);
    return parsed(await lab.host.waitForJournal(/^seen /, { unit: `${unit}@demo.service` }));
  } finally {
    await restored(unit);
  }
}

const parsed = (line: string) => JSON.parse(line.replace(/^seen /, '')) as Seen;

describe('from within', () => {
  beforeAll(async () => {
    await installed();
    await lab.host.sh('install -d -o node-updater -g node-updater -m 750 /var/cache/node-updater/other');
    await lab.host.sh('install -d -m 1777 /opt/demo/open /var/lib/open /srv/open');
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  it('no room at all, the program that looks finds network, bus and places to write', async () => {
    await lab.host.push(join(ROOMS, 'looking.mjs'), '/srv/looking.mjs');
    const seen = parsed(
      await lab.host.sh('/usr/lib/node-autoupdate/node /srv/looking.mjs; systemctl start demo.service'),
    );
    expect(seen).toMatchObject({
      tcp4: 'connected',
      bus: 'connected',
      udp4: 'bound',
      netlink: 0,
      capabilities: 'some',
    });
    expect(seen).toMatchObject({ systemctl: 0, device: 0, namespaces: 0, shared: 'written', shadow: 0 });
    expect(seen.writable).toEqual(['/']);
    await lab.host.sh('rm /dev/shm/from-a-room /tmp/from-a-room /tmp/device');
  });

  it('the transaction unit no network socket can be opened, and only its own places are written; xz runs there', async () => {
    const seen = await lookFrom('node-updater');
    expect(seen).toMatchObject({ uid: 0, capabilities: 'none', device: 1, namespaces: 1 });
    for (const way of ['tcp4', 'tcp6', 'udp4', 'udp6']) expect(seen).toHaveProperty(way, 'EAFNOSUPPORT');
    expect(seen).toMatchObject({ netlink: 1, bus: 'connected', xz: 'content' });
    expect(seen.interfaces).toEqual(['lo']);
    expect(seen.writable).toEqual(OF_THE_TRANSACTION);
  });

  it('the fetch unit D-Bus is out of reach, and nothing is written outside its directory and a /tmp of its own', async () => {
    await lab.host.sh('systemctl start demo.service');
    // A fetch is bound to a transaction and ends with it: here one that only lasts.
    await exchange('node-updater', '/bin/sleep infinity');
    const seen = await lookFrom('node-updater-fetch');
    await lab.host.sh('systemctl stop node-updater@demo.service');
    await restored('node-updater');
    expect(seen).toMatchObject({ capabilities: 'none', device: 1, namespaces: 1, shadow: 1, netlink: 1 });
    expect(seen.uid).toBeGreaterThan(0);
    expect(seen).toMatchObject({ tcp4: 'connected', tmp: 'written' });
    for (const way of ['bus', 'manager', 'shared']) expect(seen).toHaveProperty(way, expect.stringMatching(/^E/));
    expect(seen).toHaveProperty('systemctl', 1);
    expect(seen.writable).toEqual(['/tmp', '/var/cache/node-updater/demo', '/var/tmp']);
    expect(await lab.host.sh('ls /tmp /dev/shm')).not.toContain('from-a-room');
    expect(await lab.host.sh('systemctl is-active demo.service')).toBe('active');
  });

  it.each([
    { unit: 'node-updater', most: 1.0 },
    { unit: 'node-updater-fetch', most: 1.3 },
  ])('outside, systemd-analyze gives $unit@ an exposure of $most or less', async ({ unit, most }) => {
    const told = await lab.host.sh(`systemd-analyze security --no-pager ${unit}@demo.service | tail -n 1`);
    console.log(told);
    expect(Number(/: (\d+\.\d)/.exec(told)?.[1])).toBeLessThanOrEqual(most);
  });
});
