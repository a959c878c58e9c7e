/** The power cut of a machine in the middle of an unattended upgrade, and what comes of it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerRecord } from '../../../src/machine/record.ts';
import { quarantined } from '../../../src/machine/recover.ts';
import type { Working } from '../../../src/machine/state.ts';
import type { Observation } from '../proof/observe.ts';
import { INSTALLED, OFFERS, type Offer } from './prepared.ts';
import {
  ledgerOf,
  offer,
  problemsAfterBoot,
  problemsAtRest,
  settlingRun,
  startTimer,
  timerRun,
  waitForRecord,
  withdrawServer,
} from './scene.ts';
import type { Kept, Vm } from './vm.ts';

export interface Moment {
  readonly offer: Offer;
  /** A record of the ledger, or the start of the timer. */
  readonly at: 'the timer' | 'ended' | `${'intent' | 'result'} ${Working}`;
  /** Milliseconds after it. */
  readonly then: number;
}

export interface Aftermath {
  /** How far the ledger had come, as the boot found it, and the version that booted. */
  readonly hit: string;
  readonly problems: readonly string[];
  readonly seconds: number;
}

/** Keeps the machine, as `arranged`, at the moment at which the node is about to be touched: what comes before takes long. */
export async function keepBeforeArm(vm: Vm, what: Offer, arrange: (vm: Vm) => Promise<void> = asItIs): Promise<Kept> {
  await vm.resume();
  await arrange(vm);
  const known = (await ledgerOf(vm)).length;
  await offer(vm, what);
  await startTimer(vm);
  await waitForRecord(vm, patternOf('intent preflight'), known);
  return vm.keep();
}

const asItIs = (): Promise<void> => Promise.resolve();

/**
 * From `beforeArm` on, if there is one, and else from the start of the timer. `known` is how many records the ledger of the
 * prepared machine has. `then` looks at the booted machine too.
 */
export async function cutAt(
  moment: Moment,
  vm: Vm,
  known: number,
  beforeArm: Kept | undefined,
  then: (vm: Vm) => Promise<readonly string[]>,
): Promise<Aftermath> {
  const began = Date.now();
  const records = await cut(moment, vm, known, beforeArm);
  await vm.boot();
  const hit = labelOf(await ledgerOf(vm));
  const atOnce = await problemsAfterBoot(vm, records);
  const booted = await vm.sh('readlink /opt/demo/current');
  const problems = [...atOnce, ...wrongVersion(moment.offer, booted), ...(await then(vm))];
  return { hit: `${hit}, boots ${booted.replace('versions/', '')}`, problems, seconds: (Date.now() - began) / 1000 };
}

/** Resolves with the number of records that the ledger had for good. */
async function cut({ offer: what, at, then }: Moment, vm: Vm, known: number, beforeArm?: Kept): Promise<number> {
  const early = at === 'the timer';
  const from = early ? undefined : beforeArm;
  await vm.resume(from);
  if (from === undefined) {
    await offer(vm, what);
    await startTimer(vm);
  }
  // A bad version may be found out a state earlier than the one that is aimed at.
  const seen = early ? known : await waitForRecord(vm, `${patternOf(at)}|${patternOf('ended')}`, known);
  await delay(then);
  await vm.cut();
  // The record before the one that was seen has been flushed: its step acts only then.
  return early ? known : seen - 1;
}

function patternOf(at: Exclude<Moment['at'], 'the timer'>): string {
  const [kind = '', state] = at.split(' ');
  return `"kind":"${kind}"${state === undefined ? '' : `.*"state":"${state}"`}`;
}

/** The timer's next run settles what was left; nothing that it could take is to be had. */
export async function problemsOnceSettled(vm: Vm, before: Observation): Promise<string[]> {
  await withdrawServer(vm);
  await settlingRun(vm);
  return problemsAtRest(vm, before);
}

/** The same release is on offer still, and the server is back: the next run takes it, or learns what is wrong with it. */
export async function problemsOfSecondTry(what: Offer, vm: Vm, before: Observation): Promise<string[]> {
  await vm.sh('systemctl start releases.service; date -s "+2 minutes" >/dev/null'); // past the node's `interval`
  await timerRun(vm);
  const wanted = `versions/${what === 'good' ? OFFERS.good : INSTALLED}`;
  const current = await vm.sh('readlink /opt/demo/current');
  const blamed = [...quarantined(await ledgerOf(vm)).keys()].join();
  return [
    ...(await problemsAtRest(vm, before)),
    ...(current === wanted ? [] : [`the next run leaves ${current}, not ${wanted}`]),
    ...(blamed === (what === 'good' ? '' : OFFERS.bad) ? [] : [`in quarantine is: ${blamed}`]),
  ];
}

function wrongVersion(what: Offer, booted: string): string[] {
  const right = [INSTALLED, ...(what === 'good' ? [OFFERS.good] : [])].map((version) => `versions/${version}`);
  return right.includes(booted) ? [] : [`${booted} boots`];
}

function labelOf(records: readonly LedgerRecord[]): string {
  const entry = records.at(-1)?.entry;
  if (entry === undefined) return 'no record';
  return 'state' in entry ? `${entry.kind} ${entry.state}` : entry.kind;
}
