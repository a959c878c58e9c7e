/** The calls on systemd's Manager object, one function each, with plain arguments and answers. */
import { UpdaterError } from '../errors.ts';
import { busFault, refusal, type ErrorReply } from './bus-errors.ts';
import { unitFacts } from './bus-facts.ts';
import { jobNumber, type JobKind, type OpenJob } from './bus-jobs.ts';
import { variant, type Call, type Wire } from './bus-wire.ts';
import type { UnitFacts } from './ports.ts';

export const SYSTEMD = 'org.freedesktop.systemd1';
export const MANAGER = `${SYSTEMD}.Manager`;
export const MANAGER_PATH = '/org/freedesktop/systemd1';
export const PROPERTIES = 'org.freedesktop.DBus.Properties';

/** What systemctl allows for a daemon-reload, in milliseconds. */
const RELOAD_TIMEOUT = 180_000;
const ENQUEUE: Readonly<Record<JobKind, string>> = {
  start: 'StartUnit',
  restart: 'RestartUnit',
  'try-restart': 'TryRestartUnit',
  stop: 'StopUnit',
};

/** Asks and takes an error reply for a refusal; `doing` and `unit` are for its message. */
export async function demand(wire: Wire, call: Call, doing: string, unit: string): Promise<readonly unknown[]> {
  const reply = await wire.ask(call);
  if (!reply.ok) throw refusal(reply, doing, unit);
  return reply.body;
}

/** Answers with the job's object path. */
export async function enqueue(wire: Wire, kind: JobKind, unit: string): Promise<string> {
  const call = manager(ENQUEUE[kind], 'ss', [unit, 'replace']);
  return path(await demand(wire, call, `${kind} ${unit}`, unit), call.member);
}

/** The unit's canonical object path: signals come from there, also when `unit` is an alias. Loads it if need be. */
export async function unitPath(wire: Wire, unit: string): Promise<string> {
  return path(await demand(wire, manager('LoadUnit', 's', [unit]), `load ${unit}`, unit), 'LoadUnit');
}

/** A unit that does not exist has facts as well: loadState `not-found`. */
export async function facts(wire: Wire, unit: string): Promise<UnitFacts> {
  const at = await unitPath(wire, unit);
  const all = async (of: string) => {
    const call = { destination: SYSTEMD, path: at, interface: PROPERTIES, member: 'GetAll', signature: 's' };
    const body = await demand(wire, { ...call, body: [`${SYSTEMD}.${of}`] }, `tell of ${unit}`, unit);
    return body[0];
  };
  const service = unit.endsWith('.service') ? all('Service') : Promise.resolve(undefined);
  const [ofUnit, ofService] = await Promise.all([all('Unit'), service]);
  return unitFacts(unit, ofUnit, ofService);
}

export async function isOpen(wire: Wire, job: OpenJob): Promise<boolean> {
  const reply = await wire.ask(manager('GetJob', 'u', [jobNumber(job.path)]));
  if (!reply.ok && !is(reply, 'NoSuchJob')) throw refusal(reply, `tell of the job of ${job.unit}`, job.unit);
  return reply.ok;
}

/** Without a subscription systemd sends no signals at all. */
export async function subscribe(wire: Wire): Promise<void> {
  const reply = await wire.ask(manager('Subscribe'));
  if (!reply.ok && !is(reply, 'AlreadySubscribed')) throw refusal(reply, 'subscribe to its signals', 'init.scope');
}

/** Nothing to do for a unit that is not loaded: it has no failure to forget. */
export async function resetFailed(wire: Wire, unit: string): Promise<void> {
  const reply = await wire.ask(manager('ResetFailedUnit', 's', [unit]));
  if (!reply.ok && !is(reply, 'NoSuchUnit')) throw refusal(reply, `reset the failure of ${unit}`, unit);
}

export async function reload(wire: Wire): Promise<void> {
  await demand(wire, { ...manager('Reload'), timeout: RELOAD_TIMEOUT }, 'reload its units', 'init.scope');
}

export async function enable(wire: Wire, units: readonly string[]): Promise<void> {
  const names = units.join(' ');
  const call = manager('EnableUnitFiles', 'asbb', [[...units], false, false]);
  const [installable] = await demand(wire, call, `enable ${names}`, names);
  if (installable !== true) {
    throw new UpdaterError('HOST_UNIT', `${names} cannot be enabled: no [Install] section`, {
      remedy: `Add an [Install] section to the unit's file: type systemctl edit --full ${names}`,
    });
  }
  await reload(wire);
}

export async function disable(wire: Wire, units: readonly string[]): Promise<void> {
  const names = units.join(' ');
  await demand(wire, manager('DisableUnitFiles', 'asb', [[...units], false]), `disable ${names}`, names);
  await reload(wire);
}

/**
 * A transient timer cannot be told what to start (neither `Unit` nor `Triggers` is settable over the bus): it starts the service of its own
 * name. So unless that is `unit`, a transient service goes with it that starts `unit`; both are gone once they have run.
 * Answers false when a unit of one of those names is loaded already.
 */
export async function startTimer(wire: Wire, timer: string, unit: string, delay: number): Promise<boolean> {
  const service = timer.replace(/\.timer$/, '.service');
  const starter = ['systemctl', '--no-block', 'start', unit];
  const properties = [
    ['Description', variant('s', `Starts ${unit} once`)],
    ['TimersMonotonic', variant('a(st)', [['OnActiveSec', BigInt(Math.max(0, Math.round(delay))) * 1000n]])],
    ['AccuracyUSec', variant('t', 100_000n)],
    ['RemainAfterElapse', variant('b', false)],
  ];
  const command = [
    ['Description', variant('s', `Starts ${unit}`)],
    ['Type', variant('s', 'oneshot')],
    ['CollectMode', variant('s', 'inactive-or-failed')],
    ['ExecStart', variant('a(sasb)', [['/bin/systemctl', starter, false]])],
  ];
  const body = [timer, 'replace', properties, service === unit ? [] : [[service, command]]];
  const reply = await wire.ask(manager('StartTransientUnit', 'ssa(sv)a(sa(sv))', body));
  if (!reply.ok && !is(reply, 'UnitExists')) throw refusal(reply, `make the timer ${timer}`, timer);
  return reply.ok;
}

export function nameTaken(unit: string): UpdaterError {
  return new UpdaterError('HOST_UNIT', `a unit named ${unit} is there already, and is not ours`, {
    remedy: `Type: systemctl status ${unit}, and remove or rename it.`,
  });
}

function manager(member: string, signature = '', body: readonly unknown[] = []): Call {
  return { destination: SYSTEMD, path: MANAGER_PATH, interface: MANAGER, member, signature, body };
}

function is(reply: ErrorReply, name: string): boolean {
  return reply.type === `${SYSTEMD}.${name}`;
}

function path(body: readonly unknown[], member: string): string {
  const [value] = body;
  if (typeof value === 'string') return value;
  throw busFault(`systemd answered ${member} without an object path`, undefined);
}
