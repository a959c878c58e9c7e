/**
 * systemd over the system bus, as host/ports.ts asks for it.
 *
 * Only signals whose sender owns org.freedesktop.systemd1 are believed: any local user may send us others. That owner changes when systemd
 * re-executes itself; what was missed meanwhile is then asked for, so that no job is waited for in vain (F088).
 */
import * as systemd from './bus-manager.ts';
import { MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD } from './bus-manager.ts';
import { makeJobs, missedResult, type JobKind, type Jobs } from './bus-jobs.ts';
import { DAEMON, guarded, openWire, type Signal, type Wire } from './bus-wire.ts';
import type { JobResult, Log, SystemBus } from './ports.ts';

export interface BusOptions {
  /** A D-Bus address; DBUS_SYSTEM_BUS_ADDRESS or the well-known socket if left out. */
  readonly address?: string;
  /** Milliseconds that the connection and each call may take, 25 s if left out; a job's own time-out comes with the job. */
  readonly callTimeout?: number;
  readonly log: Pick<Log, 'warn'>;
}

interface Watcher {
  readonly path: string;
  readonly changed: () => void;
}

interface State {
  readonly log: Pick<Log, 'warn'>;
  readonly wire: Wire;
  readonly jobs: Jobs;
  readonly watchers: Set<Watcher>;
  /** The unique name of systemd on the bus; undefined while it has none. */
  owner: string | undefined;
}

const WELL_KNOWN = 'unix:path=/run/dbus/system_bus_socket';
const CALL_TIMEOUT = 25_000;
const STOP_TIMER_TIMEOUT = 10_000;

/** Resolves once subscribed, with the match rules in place. Rejects with HOST_BUS, or USAGE_NOT_PERMITTED. */
export async function connectSystemBus(options: BusOptions): Promise<SystemBus> {
  const wire = await openWire({
    address: options.address ?? addressOf(process.env),
    timeout: options.callTimeout ?? CALL_TIMEOUT,
    log: options.log,
  });
  const state: State = { log: options.log, wire, jobs: makeJobs(), watchers: new Set(), owner: undefined };
  wire.listen({
    signal: (signal) => {
      heard(state, signal);
    },
    end: (why) => {
      state.jobs.fail(why);
      tell(state, () => true);
    },
  });
  try {
    await introduce(state);
  } catch (error) {
    await wire.close();
    throw error;
  }
  return port(state);
}

function addressOf(environment: NodeJS.ProcessEnv): string {
  const address = environment['DBUS_SYSTEM_BUS_ADDRESS'];
  return address === undefined || address === '' ? WELL_KNOWN : address;
}

/** Sent in one go: the daemon and systemd each answer in order, so the rules are in force before any job is asked for. */
async function introduce(state: State): Promise<void> {
  const { wire } = state;
  const owner = { ...DAEMON, member: 'GetNameOwner', signature: 's', body: [SYSTEMD] };
  const ownerChanged = `type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='${SYSTEMD}'`;
  const [, , , body] = await Promise.all([
    match(wire, 'AddMatch', ownerChanged),
    match(wire, 'AddMatch', managerRule('JobRemoved')),
    match(wire, 'AddMatch', managerRule('Reloading')),
    systemd.demand(wire, owner, 'find systemd on the bus', 'dbus.service'),
    systemd.subscribe(wire),
  ]);
  // A change of owner that was heard since is the newer truth.
  state.owner ??= typeof body[0] === 'string' ? body[0] : undefined;
}

function managerRule(member: string): string {
  return `type='signal',sender='${SYSTEMD}',path='${MANAGER_PATH}',interface='${MANAGER}',member='${member}'`;
}

async function match(wire: Wire, member: 'AddMatch' | 'RemoveMatch', rule: string): Promise<void> {
  await systemd.demand(wire, { ...DAEMON, member, signature: 's', body: [rule] }, 'listen to signals', 'dbus.service');
}

function heard(state: State, { sender, path, interface: from, member, body }: Signal): void {
  if (sender === DAEMON.destination) {
    if (member === 'NameOwnerChanged' && body[0] === SYSTEMD) ownerChanged(state, body[2]);
  } else if (sender !== state.owner) {
    return;
  } else if (from === PROPERTIES && member === 'PropertiesChanged') {
    tell(state, (watcher) => watcher.path === path);
  } else if (from === MANAGER && member === 'JobRemoved') {
    if (typeof body[1] === 'string' && typeof body[3] === 'string') state.jobs.removed(body[1], body[3]);
  } else if (from === MANAGER && member === 'Reloading' && body[0] === false) {
    renew(state);
  }
}

function ownerChanged(state: State, owner: unknown): void {
  state.owner = typeof owner === 'string' && owner !== '' ? owner : undefined;
  if (state.owner !== undefined) renew(state);
}

function tell(state: State, concerns: (watcher: Watcher) => boolean): void {
  for (const watcher of [...state.watchers].filter(concerns)) guarded(state.log, watcher.changed);
}

/** After a reload or re-exec: subscribe again, settle the jobs whose end was missed, and let every watcher look again. */
function renew(state: State): void {
  const look = async () => {
    await systemd.subscribe(state.wire);
    await Promise.all(state.jobs.open().map((job) => settleMissed(state, job)));
    tell(state, () => true);
  };
  look().catch((error: unknown) => {
    // A lost bus has already been told to everybody; any other fault leaves the jobs to their time-outs.
    if (state.wire.ended() === undefined)
      state.log.warn('could not look again after systemd was reloaded', { cause: String(error) });
  });
}

/** JobRemoved, if it was sent at all, came before the answer that there is no such job: systemd's messages keep their order. */
async function settleMissed(state: State, job: { kind: JobKind; unit: string; path: string }): Promise<void> {
  if (await systemd.isOpen(state.wire, job)) return;
  state.jobs.removed(job.path, missedResult(job.kind, await systemd.facts(state.wire, job.unit)));
}

function port(state: State): SystemBus {
  const { wire, jobs } = state;
  const run = (kind: JobKind, unit: string, timeout: number): Promise<JobResult> =>
    jobs.run(kind, unit, () => systemd.enqueue(wire, kind, unit), timeout);
  return {
    start: (unit, timeout) => run('start', unit, timeout),
    restart: (unit, timeout) => run('restart', unit, timeout),
    tryRestart: (unit, timeout) => run('try-restart', unit, timeout),
    stop: (unit, timeout) => run('stop', unit, timeout),
    async startNoWait(unit) {
      await systemd.enqueue(wire, 'start', unit);
    },
    async stopNoWait(unit) {
      await systemd.enqueue(wire, 'stop', unit);
    },
    facts: (unit) => systemd.facts(wire, unit),
    resetFailed: (unit) => systemd.resetFailed(wire, unit),
    reload: () => systemd.reload(wire),
    enable: (units) => systemd.enable(wire, units),
    disable: (units) => systemd.disable(wire, units),
    async startLater(timer, unit, delay) {
      if (await systemd.startTimer(wire, timer, unit, delay)) return;
      // A second call moves the moment: the first timer goes, and with it the name is free.
      await run('stop', timer, STOP_TIMER_TIMEOUT);
      if (!(await systemd.startTimer(wire, timer, unit, delay))) throw systemd.nameTaken(timer);
    },
    watch: (unit, changed) => watch(state, unit, changed),
    close: () => wire.close(),
  };
}

async function watch(state: State, unit: string, changed: () => void): Promise<AsyncDisposable> {
  const { wire, watchers } = state;
  const path = await systemd.unitPath(wire, unit);
  const rule = `type='signal',sender='${SYSTEMD}',path='${path}',interface='${PROPERTIES}',member='PropertiesChanged'`;
  await match(wire, 'AddMatch', rule);
  const watcher = { path, changed };
  watchers.add(watcher);
  return {
    async [Symbol.asyncDispose]() {
      // The daemon counts equal rules, and forgets them with the connection.
      if (watchers.delete(watcher) && wire.ended() === undefined) await match(wire, 'RemoveMatch', rule);
    },
  };
}
