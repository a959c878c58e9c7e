/** From the properties of systemd's objects, as they come over the bus, to the plain facts that the gate reads. */
import { UpdaterError } from '../errors.ts';
import type { ServiceFacts, UnitFacts } from './ports.ts';
import { plain } from './bus-wire.ts';

type Properties = Readonly<Record<string, unknown>>;

/** `service` is undefined for a unit that is no service. Rejects what has another shape than systemd documents with HOST_BUS. */
export function unitFacts(unit: string, properties: unknown, service: unknown): UnitFacts {
  const values = dictionary(properties);
  return {
    unit,
    loadState: text(values, 'LoadState'),
    activeState: text(values, 'ActiveState'),
    subState: text(values, 'SubState'),
    unitFileState: text(values, 'UnitFileState'),
    fragmentPath: text(values, 'FragmentPath'),
    dropInPaths: texts(values, 'DropInPaths'),
    invocationId: bytes(values, 'InvocationID').toString('hex'),
    triggeredBy: texts(values, 'TriggeredBy'),
    needDaemonReload: flag(values, 'NeedDaemonReload'),
    refusesManual: flag(values, 'RefuseManualStart') || flag(values, 'RefuseManualStop'),
    job: jobOf(values),
    ...(service === undefined ? {} : { service: serviceFacts(dictionary(service), values) }),
  };
}

function serviceFacts(values: Properties, unit: Properties): ServiceFacts {
  return {
    type: text(values, 'Type'),
    result: text(values, 'Result'),
    nRestarts: integer(values, 'NRestarts'),
    mainPid: integer(values, 'MainPID'),
    execMainStatus: integer(values, 'ExecMainStatus'),
    execMainCode: integer(values, 'ExecMainCode'),
    execMainStartMonotonic: microseconds(values, 'ExecMainStartTimestampMonotonic'),
    execMainExitMonotonic: microseconds(values, 'ExecMainExitTimestampMonotonic'),
    activeExitMonotonic: microseconds(unit, 'ActiveExitTimestampMonotonic'),
    restart: text(values, 'Restart'),
    restartUsec: microseconds(values, 'RestartUSec'),
    timeoutStopUsec: microseconds(values, 'TimeoutStopUSec'),
    user: text(values, 'User'),
    execStart: firstCommand(values),
    startLimitIntervalUsec: microseconds(unit, 'StartLimitIntervalUSec'),
  };
}

/** ExecStart is an array of (path, arguments from the program's name on, …); the name is left out, the path stands for it. */
function firstCommand(values: Properties): readonly string[] {
  const commands = plain(values['ExecStart']);
  if (!Array.isArray(commands)) throw unexpected('ExecStart', commands);
  const first: unknown = commands[0];
  if (first === undefined) return [];
  if (!Array.isArray(first)) throw unexpected('ExecStart', first);
  const [path, argv] = first as readonly unknown[];
  if (typeof path !== 'string' || !isTexts(argv)) throw unexpected('ExecStart', first);
  return [path, ...argv.slice(1)];
}

function dictionary(value: unknown): Properties {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected('GetAll', value);
  return value as Properties;
}

function text(values: Properties, name: string): string {
  const value = own(values, name);
  if (typeof value !== 'string') throw unexpected(name, value);
  return value;
}

function texts(values: Properties, name: string): readonly string[] {
  const value = own(values, name);
  if (!isTexts(value)) throw unexpected(name, value);
  return value;
}

function bytes(values: Properties, name: string): Buffer {
  const value = own(values, name);
  if (!Buffer.isBuffer(value)) throw unexpected(name, value);
  return value;
}

/** Job is (id, path); id 0 says that there is none. */
function jobOf(values: Properties): number {
  const value: unknown = plain(values['Job'] ?? [0]);
  const id: unknown = Array.isArray(value) ? value[0] : undefined;
  if (typeof id !== 'number') throw unexpected('Job', value);
  return id;
}

function flag(values: Properties, name: string): boolean {
  const value = own(values, name);
  if (typeof value !== 'boolean') throw unexpected(name, value);
  return value;
}

function integer(values: Properties, name: string): number {
  const value = own(values, name);
  if (typeof value !== 'number') throw unexpected(name, value);
  return value;
}

function microseconds(values: Properties, name: string): bigint {
  const value = own(values, name);
  if (typeof value !== 'bigint') throw unexpected(name, value);
  return value;
}

function own(values: Properties, name: string): unknown {
  return Object.hasOwn(values, name) ? plain(values[name]) : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function unexpected(name: string, value: unknown): UpdaterError {
  const found = value === undefined ? 'nothing' : Array.isArray(value) ? 'a list' : typeof value;
  return new UpdaterError('HOST_BUS', `systemd said something unexpected for ${name}: ${found}`, {
    remedy: 'This version of systemd may be too old (252 or newer is known to work). Type: systemctl --version',
  });
}
