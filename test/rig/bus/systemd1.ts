/**
 * A stand-in for systemd on a private bus: as much of org.freedesktop.systemd1 as the contract asks for, and every way to misbehave. It proves
 * nothing about systemd (the same contract runs on the real one); it is here for the faults that a real one cannot be made to have.
 */
import type { Message } from 'dbus-next';
import { Variant } from 'dbus-next';
import { makePeer, type Handler, type Peer } from './peer.ts';
import { fakeUnit, markStarted, serviceProperties, unitPath, unitProperties, type FakeUnit } from './units.ts';

export const NAME = 'org.freedesktop.systemd1';
export const MANAGER_PATH = '/org/freedesktop/systemd1';
export const MANAGER = `${NAME}.Manager`;
export const PROPERTIES = 'org.freedesktop.DBus.Properties';

export interface Systemd1 extends AsyncDisposable {
  readonly peer: Peer;
  readonly units: Map<string, FakeUnit>;
  /** Takes over a method. */
  override(member: string, handler: Handler): void;
  /** What it would have done with the method. */
  usual(message: Message): void;
  /** A new job's object path; its end is `jobRemoved`. */
  newJob(unit: string): string;
  jobRemoved(path: string, result: string): void;
  changed(unit: FakeUnit): void;
  /** The start job of a unit that lingers is done. */
  finish(unit: string): void;
  /** Leaves the bus and comes back under another unique name; `meanwhile` happens unheard. */
  reexec(meanwhile?: () => void): Promise<void>;
}

interface State {
  readonly peer: Peer;
  readonly units: Map<string, FakeUnit>;
  /** Unit by job path. */
  readonly jobs: Map<string, string>;
  readonly timers: Map<string, NodeJS.Timeout>;
  lastJob: number;
}

export async function startSystemd1(address: string): Promise<Systemd1> {
  const overrides = new Map<string, Handler>();
  const usual = (message: Message) => methods[message.member]?.(state, message);
  const handlerOf = (member: string) => overrides.get(member) ?? (member in methods ? usual : undefined);
  const peer = makePeer(address, NAME, handlerOf);
  const state: State = { peer, units: new Map(), jobs: new Map(), timers: new Map(), lastJob: 0 };
  await peer.join();
  return {
    peer,
    units: state.units,
    override: (member, handler) => overrides.set(member, handler),
    usual,
    newJob: (unit) => newJob(state, unit),
    jobRemoved: (path, result) => {
      jobRemoved(state, path, result);
    },
    changed: (unit) => {
      changed(state, unit);
    },
    finish(unit) {
      const job = jobOf(state, unit);
      if (job !== undefined) endStart(state, job, find(state, unit));
    },
    async reexec(meanwhile) {
      await peer.leave();
      meanwhile?.();
      await peer.join();
    },
    async [Symbol.asyncDispose]() {
      for (const timer of state.timers.values()) clearTimeout(timer);
      await peer.leave();
    },
  };
}

type Method = (state: State, message: Message) => void;

const methods: Readonly<Record<string, Method>> = {
  Subscribe: ({ peer }, message) => {
    peer.reply(message);
  },
  LoadUnit: (state, message) => {
    state.peer.reply(message, 'o', [unitPath(find(state, firstText(message)).name)]);
  },
  GetAll: getAll,
  GetJob: getJob,
  StartUnit: startUnit,
  RestartUnit: startUnit,
  StopUnit: stopUnit,
  ResetFailedUnit: resetFailed,
  Reload: reload,
  EnableUnitFiles: enable,
  DisableUnitFiles: disable,
  StartTransientUnit: startTimer,
};

function firstText(message: Message): string {
  return String(message.body[0]);
}

function find(state: State, name: string): FakeUnit {
  const unit = state.units.get(name) ?? fakeUnit(name, { load: 'not-found', file: '' });
  state.units.set(name, unit);
  return unit;
}

function newJob(state: State, unit: string): string {
  const path = `${MANAGER_PATH}/job/${++state.lastJob}`;
  state.jobs.set(path, unit);
  return path;
}

function jobOf(state: State, unit: string): string | undefined {
  return [...state.jobs].find(([, of]) => of === unit)?.[0];
}

function jobRemoved(state: State, path: string, result: string): void {
  const body = [Number(path.split('/').at(-1)), path, state.jobs.get(path) ?? 'unknown.service', result];
  state.jobs.delete(path);
  state.peer.signal(MANAGER_PATH, MANAGER, 'JobRemoved', 'uoss', body);
}

function changed(state: State, unit: FakeUnit): void {
  const body = [`${NAME}.Unit`, { ActiveState: new Variant('s', unit.active) }, []];
  state.peer.signal(unitPath(unit.name), PROPERTIES, 'PropertiesChanged', 'sa{sv}as', body);
}

function startUnit(state: State, message: Message): void {
  const unit = find(state, firstText(message));
  if (unit.load === 'masked') {
    state.peer.refuse(message, `${NAME}.UnitMasked`, `Unit ${unit.name} is masked.`);
  } else if (unit.load === 'not-found') {
    state.peer.refuse(message, `${NAME}.NoSuchUnit`, `Unit ${unit.name} not found.`);
  } else {
    // A second start of what is on its way up is the same job.
    const job = jobOf(state, unit.name) ?? newJob(state, unit.name);
    state.peer.reply(message, 'o', [job]);
    if (unit.startEnd === 'lingers') {
      unit.active = 'activating';
      changed(state, unit);
    } else endStart(state, job, unit);
  }
}

function endStart(state: State, job: string, unit: FakeUnit): void {
  const end = unit.startEnd;
  const up = end === 'done' || end === 'lingers' || end === 'crashes' || end === 'sulks';
  if (up) markStarted(unit);
  else if (end === 'failed') Object.assign(unit, { active: 'failed', result: 'exit-code' });
  else unit.active = 'inactive';
  changed(state, unit);
  jobRemoved(state, job, up || end === 'skips' ? 'done' : end);
  if (end === 'crashes') restartLater(state, unit);
}

function restartLater(state: State, unit: FakeUnit): void {
  const restart = () => {
    if (unit.active !== 'active') return;
    unit.restarts++;
    markStarted(unit);
    changed(state, unit);
    restartLater(state, unit);
  };
  state.timers.set(unit.name, setTimeout(restart, 20));
}

function stopUnit(state: State, message: Message): void {
  const unit = find(state, firstText(message));
  if (unit.load === 'not-found') {
    state.peer.refuse(message, `${NAME}.NoSuchUnit`, `Unit ${unit.name} not loaded.`);
    return;
  }
  const replaced = jobOf(state, unit.name);
  const job = newJob(state, unit.name);
  state.peer.reply(message, 'o', [job]);
  if (replaced !== undefined) jobRemoved(state, replaced, 'canceled');
  Object.assign(unit, unit.startEnd === 'sulks' ? { active: 'failed', result: 'exit-code' } : { active: 'inactive' });
  unit.stopped = process.hrtime.bigint() / 1000n;
  changed(state, unit);
  jobRemoved(state, job, 'done');
}

function getJob({ peer, jobs }: State, message: Message): void {
  const path = `${MANAGER_PATH}/job/${String(message.body[0])}`;
  if (jobs.has(path)) peer.reply(message, 'o', [path]);
  else peer.refuse(message, `${NAME}.NoSuchJob`, 'Job does not exist.');
}

function getAll({ peer, units }: State, message: Message): void {
  const unit = [...units.values()].find(({ name }) => unitPath(name) === message.path);
  if (unit === undefined) peer.refuse(message, 'org.freedesktop.DBus.Error.UnknownObject', 'no such unit');
  else
    peer.reply(message, 'a{sv}', [message.body[0] === `${NAME}.Unit` ? unitProperties(unit) : serviceProperties(unit)]);
}

function resetFailed({ peer, units }: State, message: Message): void {
  const unit = units.get(firstText(message));
  if (unit === undefined) {
    peer.refuse(message, `${NAME}.NoSuchUnit`, 'Unit not loaded.');
    return;
  }
  if (unit.active === 'failed') unit.active = 'inactive';
  peer.reply(message);
}

function reload({ peer, units }: State, message: Message): void {
  peer.signal(MANAGER_PATH, MANAGER, 'Reloading', 'b', [true]);
  for (const unit of units.values()) unit.needReload = false;
  peer.signal(MANAGER_PATH, MANAGER, 'Reloading', 'b', [false]);
  peer.reply(message);
}

function enable(state: State, message: Message): void {
  const units = (message.body[0] as string[]).map((name) => find(state, name));
  const installable = units.filter(({ file }) => file !== 'static');
  for (const unit of installable) unit.file = 'enabled';
  state.peer.reply(message, 'ba(sss)', [installable.length > 0, []]);
}

function disable(state: State, message: Message): void {
  for (const name of message.body[0] as string[]) find(state, name).file = 'disabled';
  state.peer.reply(message, 'a(sss)', [[]]);
}

type Given = readonly (readonly [string, Variant])[];

/** Understands a timer with OnActiveSec= and a service beside it whose command's last word is the unit to start. */
function startTimer(state: State, message: Message): void {
  const [name, , timer, [[, service]]] = message.body as [string, string, Given, [[string, Given]]];
  const [[, delay]] = given(timer, 'TimersMonotonic') as [[string, bigint]];
  const [[, command]] = given(service, 'ExecStart') as [[string, string[]]];
  if (state.units.get(name)?.active === 'active') {
    state.peer.refuse(message, `${NAME}.UnitExists`, `Unit ${name} was already loaded or has a fragment file.`);
    return;
  }
  const target = find(state, command.at(-1) ?? '');
  const fire = () => {
    if (state.units.get(name)?.active !== 'active') return;
    state.units.delete(name);
    markStarted(target);
    changed(state, target);
  };
  state.units.set(name, fakeUnit(name, { active: 'active' }));
  clearTimeout(state.timers.get(name));
  state.timers.set(name, setTimeout(fire, Number(delay / 1000n)));
  const job = newJob(state, name);
  state.peer.reply(message, 'o', [job]);
  jobRemoved(state, job, 'done');
}

function given(properties: Given, name: string): unknown {
  return properties.find(([key]) => key === name)?.[1].value as unknown;
}
