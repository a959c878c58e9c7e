/**
 * A full disk, met at every durable step of a transaction: real file systems without a free page or inode. The node is up
 * all the time, what happened is on record once there is room, and no version is blamed for it (promise 9).
 */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerRecord } from '../../src/machine/record.ts';
import { sample } from '../rig/cases.ts';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';
const PAGE = 4096;

const mainPid = () => lab.host.sh('systemctl show -P MainPID demo.service');
const blamed = async () => (await lab.ledger()).filter(({ entry }) => entry.kind === 'ended' && entry.quarantine);

/** The lengths of the lines that the last transaction wrote. */
async function lastLines(): Promise<number[]> {
  const lines = (await lab.host.read(LEDGER)).split('\n').slice(0, -1);
  const opened = lines.findLastIndex((line) => line.includes('"kind":"opened"'));
  return lines.slice(opened).map((line) => line.length + 1);
}

/** Moves the ledger to a file system of its own. */
async function ledgerOnItsOwn(): Promise<void> {
  await lab.host.sh(`
    mkdir /srv/tiny; mount -t tmpfs -o size=1M tiny /srv/tiny
    cp ${LEDGER} /srv/tiny/ledger; mount --bind /srv/tiny/ledger ${LEDGER}`);
}

/** Leaves room for so many bytes of ledger: pages are what a file system gives, so the rest of one is filled with a record. */
async function leaveRoom(bytes: number): Promise<void> {
  const text = await lab.host.read(LEDGER);
  const lines = text.split('\n').slice(0, -1);
  const last = JSON.parse(lines.at(-1) ?? '') as LedgerRecord;
  const pad = (message: string): string => {
    const entry = { kind: 'answer', request: 'none', exit: 0, message } as const;
    const prev = createHash('sha256')
      .update(lines.at(-1) ?? '')
      .digest('hex');
    return `${JSON.stringify({ ...last, n: last.n + 1, prev, entry } satisfies LedgerRecord)}\n`;
  };
  const tail = bytes % PAGE;
  const missing = 2 * PAGE - tail - ((text.length + pad('').length) % PAGE);
  await lab.host.push(Buffer.from(text + pad('x'.repeat(missing % PAGE))), LEDGER);
  const pages = Math.floor(bytes / PAGE);
  await lab.host.sh(`
    free=$(($(df --output=avail -B ${PAGE} /srv/tiny | tail -n 1) - ${pages}))
    dd if=/dev/zero of=/srv/tiny/filler bs=${PAGE} count=$free status=none`);
}

/** One rollback, with room in the ledger for so many bytes; then there is room again, and the next run settles it. */
async function tryWithRoom(bytes: number, to: string): Promise<void> {
  await leaveRoom(bytes);
  await lab.updater('rollback', '--to', to);
  const full = await lab.facts();
  expect(full).toEqual({ ...runs(full.current), leftovers: expect.stringMatching(/^(cause )?$/) as string });
  const pid = await mainPid();
  await lab.host.sh('rm /srv/tiny/filler');
  await lab.host.run(['systemctl', 'start', 'node-updater@demo.service']);
  await lab.host.waitFor('[ -z "$(systemctl list-jobs --no-legend)" ]');
  expect(await lab.facts()).toEqual(runs(full.current));
  expect(await mainPid(), 'settling restarts nothing').toBe(pid);
}

const count = async (kind: string) => (await lab.ledger()).filter(({ entry }) => entry.kind === kind).length;

describe('a disk that is full', () => {
  it('at any record of the ledger leaves the node on a whole version; the outcome is recorded once there is room [F058][F059]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    expect((await lab.updater('upgrade')).status).toBe(0);
    // A rollback writes nothing but the ledger to that disk.
    expect((await lab.updater('rollback')).status).toBe(0);
    await ledgerOnItsOwn();
    const lengths = await lastLines();
    const outcomes = new Set<string>();
    for (const [nth, length] of sample([...lengths.entries()], 8)) {
      const target = (await lab.facts()).current === '1.0.0' ? '2.0.0' : '1.0.0';
      const opened = await count('opened');
      const room = lengths.slice(0, nth).reduce((sum, each) => sum + each, 0) + Math.floor(length / 2);
      await tryWithRoom(room, target);
      // Without room for its first record a transaction does not begin.
      expect(await count('opened')).toBe(opened + (nth === 0 ? 0 : 1));
      expect(await count('ended')).toBe(await count('opened'));
      const end = await lab.lastEnd();
      const committed = (await lab.facts()).current === target;
      const failure: unknown = expect.objectContaining({ code: 'DISK_FULL' });
      const rest = {
        kind: 'ended',
        tx: end?.tx,
        outcome: expect.stringMatching(/^(unchanged|rolled-back)$/) as string,
      };
      if (nth > 0 && !committed) expect(end, `record ${nth + 1}`).toEqual({ ...rest, failure });
      if (committed) expect(end?.outcome).toBe('committed');
      if (nth > 0) outcomes.add(end?.outcome ?? '');
    }
    expect(outcomes).toEqual(new Set(['unchanged', 'rolled-back', 'committed']));
  }, 600_000);

  it.each([
    { free: 0, where: 'for the link `fallback`', outcome: 'unchanged' },
    { free: 1, where: 'for the switch of `current`', outcome: 'rolled-back' },
  ])(
    'without an inode $where puts nothing at risk, and the same release is taken later [F060]',
    async ({ free, outcome }) => {
      lab = await makeInstalled({ soak: '1s' });
      await lab.publish('2.0.0');
      expect((await lab.updater('upgrade')).status).toBe(0);
      expect((await lab.updater('rollback')).status).toBe(0);
      await lab.host.sh(`
      systemctl stop demo.service; mv /opt/demo /srv/demo; mkdir /opt/demo
      mount -t tmpfs -o size=16M,mode=755 tiny /opt/demo; cp -a /srv/demo/. /opt/demo/; systemctl start demo.service
      mount -o remount,nr_inodes=$(($(df --output=iused /opt/demo | tail -n 1) + ${free})) /opt/demo`);
      const to2 = ['rollback', '--to', '2.0.0'];
      const { status, stderr } = await lab.updater(...to2);
      expect(status, stderr).not.toBe(0);
      expect(await lab.facts()).toEqual(runs('1.0.0'));
      const end = await lab.lastEnd();
      expect(end).toMatchObject({ outcome, failure: { code: 'DISK_FULL' } });
      expect(end).not.toHaveProperty('quarantine');
      await lab.host.sh('mount -o remount,nr_inodes=10000 /opt/demo');
      expect((await lab.updater(...to2)).status).toBe(0);
      expect(await lab.facts()).toEqual(runs('2.0.0'));
    },
  );

  it.each([
    { where: '/opt/demo/versions', pages: 0, step: 'the release is unpacked', failure: 'DISK_FULL' },
    { where: '/var/lib/node-updater/demo/incoming', pages: 2, step: 'the archive is copied', failure: 'DISK_FULL' },
    { where: '/var/lib/node-updater/demo/incoming', pages: 0, step: 'gpgv gets its files' },
    { where: '/var/cache/node-updater/demo', pages: 0, step: 'what is fetched is written' },
    { where: '/var/lib/node-updater/demo', pages: 0, step: 'anything is recorded' },
  ])(
    'where $step is met before the stop: nothing is left of it, and the release is taken later [F058]',
    async ({ where, pages, failure }) => {
      lab = await makeInstalled({ soak: '1s' });
      const pid = await mainPid();
      await lab.host.sh(`
      mkdir /srv/tiny; mount -t tmpfs -o size=2M tiny /srv/tiny
      cp -a ${where} /srv/tiny/it; mount --bind /srv/tiny/it ${where}
      dd if=/dev/zero of=/srv/tiny/filler bs=${PAGE} 2>/dev/null || true
      truncate -s -${pages * PAGE} /srv/tiny/filler`);
      await lab.publish('2.0.0');
      const { status, stderr } = await lab.updater('upgrade');
      expect(status, stderr).toBe(75);
      expect(await lab.facts()).toEqual(runs('1.0.0'));
      expect(await mainPid()).toBe(pid);
      expect(await lab.host.sh('ls -A /opt/demo/versions')).not.toContain('2.0.0');
      expect(await blamed()).toEqual([]);
      if (failure !== undefined) {
        expect(await lab.lastEnd()).toMatchObject({ outcome: 'unchanged', failure: { code: failure } });
      }
      await lab.host.sh('rm /srv/tiny/filler');
      expect((await lab.updater('upgrade')).status).toBe(0);
      expect(await lab.facts()).toEqual(runs('2.0.0'));
    },
  );
});
