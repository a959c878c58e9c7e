/**
 * Real limits, which a container does not have or shares with the machine under it: memory that the kernel enforces, a disk
 * that is full or becomes read-only, the time of day, sleep. In each the node is up all the time and no version is blamed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Entry } from '../../src/machine/record.ts';
import { observe, type Observation } from '../rig/proof/observe.ts';
import { keepBeforeArm } from '../rig/vm/cut.ts';
import {
  calm,
  ledgerOf,
  offer,
  problemsAtRest,
  setSoak,
  startTimer,
  timerRun,
  waitForRecord,
} from '../rig/vm/scene.ts';
import { makeVm, type Kept, type Vm } from '../rig/vm/vm.ts';

let vm: Vm;
let before: Observation;
let beforeArm: Kept;
beforeAll(async () => {
  vm = await makeVm();
  await vm.resume();
  before = await observe({ host: vm });
  // Long enough for what is done to the machine in the soak to be done in it.
  beforeArm = await keepBeforeArm(vm, 'good', () => setSoak(vm, 20));
}, 600_000);
afterAll(() => vm[Symbol.asyncDispose]());

const SOAK = '"kind":"intent".*"state":"soak"';
const UPDATER = 'node-updater@demo.service';
const REVERT = 'node-updater-revert@demo.service';
/** Seconds that systemd waits before it tries revert@ again, and what it takes on a slow machine. */
const RETRY = 120;

const currently = () => vm.sh('readlink /opt/demo/current');
const pid = () => vm.sh('systemctl show -P MainPID demo.service');
const known = () => before.ledger.split('\n').length - 1;

async function entries(): Promise<Entry[]> {
  return (await ledgerOf(vm)).slice(known()).map(({ entry }) => entry);
}

async function lastEnd(): Promise<Extract<Entry, { kind: 'ended' }>> {
  const end = (await entries()).findLast((entry) => entry.kind === 'ended');
  if (end?.kind !== 'ended') throw new Error('no transaction has ended');
  return end;
}

/** The machine in the soak of 2.0.0. */
async function inSoak(): Promise<void> {
  await vm.resume(beforeArm);
  await waitForRecord(vm, SOAK, known());
}

/** Later, with nothing wrong any more: the release is taken. */
async function nextRunTakesIt(): Promise<void> {
  await vm.sh('date -s "+2 minutes" >/dev/null'); // past the node's `interval`
  await timerRun(vm);
  expect(await currently(), await vm.sh(`journalctl -b -o cat -n 40 -u ${UPDATER}`)).toBe('versions/2.0.0');
  expect(await problemsAtRest(vm, before)).toEqual([]);
}

async function isBackUnblamed(failure: object): Promise<void> {
  expect(await currently()).toBe('versions/1.0.0');
  expect(await problemsAtRest(vm, before)).toEqual([]);
  const end = await lastEnd();
  expect(end, JSON.stringify(end)).toMatchObject({ outcome: 'rolled-back', failure });
  expect(end).not.toHaveProperty('quarantine');
}

describe('an updater that gets no memory', () => {
  const limit = (to: string) => vm.sh(`systemctl set-property --runtime ${UPDATER} MemoryMax=${to}`);

  it('is killed by the kernel in the soak: the version before runs, the ledger says why once it can, nothing is blamed [F067]', async () => {
    await inSoak();
    await limit('12M');
    await vm.waitFor('[ "$(readlink /opt/demo/current)" = versions/1.0.0 ]');
    await calm(vm);
    expect(await vm.sh('journalctl -b --no-pager -o cat _PID=1')).toMatch(/Failed with result 'oom-kill'/);
    expect(await vm.sh('systemctl is-active demo.service')).toBe('active');
    await limit('512M');
    await timerRun(vm);
    expect((await entries()).filter((entry) => entry.kind === 'ended')[0]).toMatchObject({
      outcome: 'rolled-back',
      failure: { code: 'ACTIVATE_INTERRUPTED' },
    });
    expect((await entries()).filter((entry) => entry.kind === 'ended' && entry.quarantine)).toEqual([]);
    expect(await problemsAtRest(vm, before)).toEqual([]);
  });

  it('from its start leaves the node untouched, run after run, and takes the release once it gets some [F067]', async () => {
    await vm.resume();
    const running = await pid();
    await limit('12M');
    await offer(vm, 'good');
    await startTimer(vm);
    const result = `systemctl show -P Result ${UPDATER}`;
    // systemd names what it hears of first: the kernel's count of such kills, or the signal.
    await vm.waitFor(`${result} | grep -qx -e oom-kill -e signal`);
    const kills = () => vm.sh("journalctl -k --no-pager | grep -c 'Memory cgroup out of memory' || true");
    const before = Number(await kills());
    expect(before).toBeGreaterThan(0);
    await timerRun(vm);
    expect(await vm.sh(result)).toMatch(/^(oom-kill|signal)$/);
    expect(Number(await kills())).toBeGreaterThan(before);
    expect(await pid()).toBe(running);
    expect(await entries()).toEqual([]);
    await limit('512M');
    await nextRunTakesIt();
  });
});

describe('a disk that is full', () => {
  const fill = () =>
    vm.sh(
      'dd if=/dev/zero of=/srv/proof/filler bs=1M 2>/dev/null || true; dd if=/dev/zero of=/srv/proof/rest bs=4k 2>/dev/null || true; sync -f /srv',
    );
  const free = () => vm.sh('rm -f /srv/proof/filler /srv/proof/rest');

  it('before the run, with all that is on it, leaves the node running, and the release is taken once there is room [F057][F058]', async () => {
    await vm.resume();
    const running = await pid();
    await offer(vm, 'good');
    await fill();
    await timerRun(vm);
    expect(await currently()).toBe('versions/1.0.0');
    expect(await pid()).toBe(running);
    await free();
    await nextRunTakesIt();
  });

  it('in the soak puts no version in doubt: what runs is what is committed, and the cause is the disk [F058][F059]', async () => {
    await inSoak();
    await fill();
    await calm(vm);
    expect(await vm.sh('systemctl is-active demo.service')).toBe('active');
    await free();
    await vm.sh(`systemctl start ${UPDATER}`);
    await calm(vm);
    expect(await problemsAtRest(vm, before)).toEqual([]);
    const end = await lastEnd();
    expect(end).not.toHaveProperty('quarantine');
    if (end.outcome !== 'committed') expect(end).toMatchObject({ failure: { code: 'DISK_FULL' } });
  });
});

describe('a file system that becomes read-only', () => {
  it('in the soak is not fought: the fallback waits for it, then acts, and the cause is the disk [F062]', async () => {
    await inSoak();
    await vm.waitFor('[ "$(systemctl show -P SubState node-updater-probe@demo.service)" = start ]');
    await vm.sh('sync; echo u >/proc/sysrq-trigger'); // what the kernel does itself when it finds an error
    await vm.waitFor(`[ "$(systemctl show -P NRestarts ${REVERT})" -gt 0 ]`, { timeout: 300 });
    expect(await vm.sh('systemctl is-active demo.service')).toBe('active');
    expect(await currently()).toBe('versions/2.0.0');
    await vm.sh('mount -o remount,rw /');
    await vm.waitFor('[ "$(readlink /opt/demo/current)" = versions/1.0.0 ]', { timeout: RETRY });
    await calm(vm);
    await isBackUnblamed({ code: 'DISK_READ_ONLY' });
  });
});

describe('a clock', () => {
  it.each([
    { time: '1970-01-03', where: 'in 1970', code: 'TRUST_CLOCK', id: '[F104]' },
    { time: '+10 years', where: 'ten years ahead', code: 'TRUST_EXPIRED', id: '[F106]' },
  ])(
    'that is $where changes nothing but that the cause is told; with the right time the release is taken $id',
    async ({ time, code }) => {
      await vm.resume();
      const running = await pid();
      const [clock, up] = (await vm.sh('date +%s; cut -d . -f 1 /proc/uptime')).split('\n').map(Number);
      await vm.sh(`date -s '${time}' >/dev/null`);
      await offer(vm, 'good');
      await timerRun(vm);
      expect(await vm.sh('cat /var/lib/node-updater/demo/check.json')).toContain(`"${code}"`);
      expect(await pid()).toBe(running);
      expect(await currently()).toBe('versions/1.0.0');
      await vm.sh(`date -s "@$((${clock ?? 0} - ${up ?? 0} + $(cut -d . -f 1 /proc/uptime)))" >/dev/null`);
      await nextRunTakesIt();
    },
  );
});

describe('a machine that sleeps in the soak', () => {
  const SECONDS = 20;
  const soakOf = async () => {
    const [began, held] = (await ledgerOf(vm))
      .slice(known())
      .filter(({ entry }) => 'state' in entry && entry.state === 'soak');
    return {
      ran: Number(BigInt(held?.mono ?? 0) - BigInt(began?.mono ?? 0)) / 1e6,
      passed: (Date.parse(held?.at ?? '') - Date.parse(began?.at ?? '')) / 1000,
    };
  };

  it('soaks for the time that it is awake, and commits then [F105]', async () => {
    await vm.resume();
    await setSoak(vm, SECONDS);
    await offer(vm, 'good');
    await startTimer(vm);
    await waitForRecord(vm, SOAK, known());
    const asleep = vm.sh('echo mem >/sys/power/state');
    await vm.wake(() => delay(2 * SECONDS * 1000));
    await asleep;
    await calm(vm);
    expect(await currently()).toBe('versions/2.0.0');
    const { ran, passed } = await soakOf();
    expect(ran).toBeGreaterThanOrEqual(SECONDS);
    expect(passed).toBeGreaterThanOrEqual(3 * SECONDS - 1);
  });
});
