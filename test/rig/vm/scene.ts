/** What the tests of the machine do and look at, all of them: offering a release, the timer's run, waiting, the checkers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerRecord } from '../../../src/machine/record.ts';
import { findOpen } from '../../../src/machine/recover.ts';
import { mustRun } from '../container/process.ts';
import { readDisk } from '../power/disk-facts.ts';
import { violationsOf } from '../power/verdict.ts';
import { violations } from '../proof/invariants.ts';
import { observe, type Observation } from '../proof/observe.ts';
import type { Offer } from './prepared.ts';
import type { Vm } from './vm.ts';

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';

/** Puts a release on offer, durably. */
export async function offer(vm: Vm, what: Offer): Promise<void> {
  await vm.sh(`ln -sfn ${what} /srv/proof/offers/now; sync -f /srv/proof`);
}

/** How long the node is watched from its next transaction on. No change of a test's own is found by who looks for changes. */
export async function setSoak(vm: Vm, seconds: number): Promise<void> {
  const file = '/etc/node-updater/nodes.d/demo.toml';
  await vm.sh(`sed -i 's/^soak = .*/soak = "${seconds}s"/' ${file}; sleep 0.1; touch /srv/proof/mark; sync`);
}

/** The publisher's server is gone: who looks for a release finds none. */
export const withdrawServer = (vm: Vm): Promise<string> => vm.sh('systemctl stop releases.service');

/** Lets the timer start a run, and waits until systemd has nothing more to do for the node. */
export async function timerRun(vm: Vm): Promise<void> {
  await startTimer(vm);
  await calm(vm);
}

/** The same, and waits no longer than until what was left open is settled. */
export async function settlingRun(vm: Vm): Promise<void> {
  const open = findOpen(await ledgerOf(vm)) !== undefined;
  await startTimer(vm);
  if (open) await vm.waitFor(`tail -n 1 ${LEDGER} | grep -q '"kind":"ended"'`, { timeout: 300 });
  else await calm(vm);
}

/** Resolves when the run has begun. One that is under way would be all that a second start of the timer gets. */
export async function startTimer(vm: Vm): Promise<void> {
  const began = 'systemctl show -P ExecMainStartTimestampMonotonic node-updater.service';
  await vm.sh(
    `until [ "$(systemctl show -P ActiveState node-updater.service)" != activating ]; do sleep 0.2; done
    before=$(${began}); systemctl stop node-updater.timer; systemctl start node-updater.timer
    until [ "$(${began})" != "$before" ]; do sleep 0.2; done`,
  );
}

const UNITS = 'node-updater.service node-updater@demo.service node-updater-revert@demo.service demo.service';

export async function calm(vm: Vm): Promise<void> {
  const script = `until
    s=$(systemctl show -P ActiveState -P Job ${UNITS} | tr '\\n' ' ')
    case " $s" in *ing*|*[0-9]*) false;; *) [ -z "$(systemctl list-jobs --no-legend)" ];; esac
  do sleep 0.5; done`;
  await vm.sh(script, { timeout: 300 });
}

export async function ledgerOf(vm: Vm): Promise<LedgerRecord[]> {
  const lines = (await vm.sh(`cat ${LEDGER}`)).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as LedgerRecord);
}

/** Waits for a record that matches, after the first `after`; resolves with its number, counted from 1. */
export async function waitForRecord(vm: Vm, pattern: string, after: number, timeout = 240): Promise<number> {
  const script = `rm -f /run/rig/lines; mkfifo /run/rig/lines
    tail -n +${after + 1} -f ${LEDGER} >/run/rig/lines & tail=$!
    grep -n -m 1 -E '${pattern}' </run/rig/lines | cut -d : -f 1
    kill $tail 2>/dev/null || true`;
  const line = await vm.sh(script, { timeout });
  return after + Number(line);
}

/** What holds at once, after a boot and before anything of ours has run again. */
export async function problemsAfterBoot(vm: Vm, records: number): Promise<string[]> {
  const facts = `systemctl show -P ActiveState demo.service; readlink /opt/demo/current
    tr '\\0' ' ' <"/proc/$(systemctl show -P MainPID demo.service)/cmdline" | grep -o 'versions/[^/]*' | head -n 1`;
  const [state, current, running] = (await vm.sh(facts)).split('\n');
  const up = state === 'active' && running === current;
  return [
    ...(up ? [] : [`the node is ${state ?? ''}, ${running ?? 'nothing'} runs, and current is ${current ?? ''}`]),
    ...(await verdictOn(vm, records)),
  ];
}

/** What holds when the run after it has done its work. */
export async function problemsAtRest(vm: Vm, before: Observation): Promise<string[]> {
  return violations(before, await observe({ host: vm }), references(vm));
}

const references = ({ made }: Vm): ReadonlyMap<string, string> => new Map(Object.entries(made.trees));

/** The checker of cut disks, on a copy of what the machine has booted from. */
async function verdictOn(vm: Vm, records: number): Promise<string[]> {
  const places = 'opt/demo var/lib/node-updater/demo etc/systemd/system/demo.service.d';
  const archive = await vm.sh(`tar -C / -c ${places} | base64 -w 0`);
  const root = await mkdtemp(join(tmpdir(), 'vm-disk-'));
  try {
    await writeFile(join(root, 'disk.tar'), Buffer.from(archive, 'base64'));
    await mustRun(['tar', '-C', root, '-xf', join(root, 'disk.tar')]);
    const disk = await readDisk(root);
    const expected = {
      references: new Map(Object.entries(vm.made.digests)),
      dropIn: vm.made.dropIn,
      floor: undefined,
      promise: { records },
    };
    return violationsOf({ disk, booted: disk.links }, expected);
  } finally {
    await rm(root, { recursive: true });
  }
}
