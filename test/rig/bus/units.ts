/** What the fake systemd1 knows of a unit, and how its properties look on the bus. */
import { randomBytes } from 'node:crypto';
import { Variant } from 'dbus-next';

/** How a start job of the unit ends, if nothing stops it first. `lingers` is done when it is told to, `skips` leaves the unit down, `crashes` restarts it for ever, `sulks` answers its stop with an error. */
export type StartEnd =
  'done' | 'failed' | 'timeout' | 'dependency' | 'skips' | 'assert' | 'lingers' | 'crashes' | 'sulks';

export interface FakeUnit {
  readonly name: string;
  load: 'loaded' | 'masked' | 'not-found';
  file: 'static' | 'enabled' | 'disabled' | 'masked' | '';
  active: 'active' | 'activating' | 'inactive' | 'failed';
  result: string;
  restarts: number;
  invocation: Buffer;
  started: bigint;
  /** When it was last told to stop; its process ended a microsecond later. */
  stopped: bigint;
  needReload: boolean;
  startEnd: StartEnd;
  /** Over the bus beside the usual properties, or instead of them. */
  readonly odd: Record<string, Variant>;
}

export function fakeUnit(name: string, given: Partial<FakeUnit> = {}): FakeUnit {
  return {
    name,
    load: 'loaded',
    file: 'static',
    active: 'inactive',
    result: 'success',
    restarts: 0,
    invocation: Buffer.alloc(0),
    started: 0n,
    stopped: 0n,
    needReload: false,
    startEnd: 'done',
    odd: {},
    ...given,
  };
}

export function markStarted(unit: FakeUnit): void {
  unit.active = 'active';
  unit.result = 'success';
  unit.invocation = randomBytes(16);
  unit.started = process.hrtime.bigint() / 1000n;
}

/** `foo@1.service` becomes `foo_401_2eservice`, as systemd escapes it. */
export function unitPath(name: string): string {
  const escaped = name.replace(/[^A-Za-z0-9]/g, (c) => `_${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `/org/freedesktop/systemd1/unit/${escaped}`;
}

const SUB = { active: 'running', activating: 'start', inactive: 'dead', failed: 'failed' } as const;

export function unitProperties(unit: FakeUnit): Record<string, Variant> {
  return {
    Id: new Variant('s', unit.name),
    LoadState: new Variant('s', unit.load),
    ActiveState: new Variant('s', unit.active),
    SubState: new Variant('s', SUB[unit.active]),
    UnitFileState: new Variant('s', unit.file),
    FragmentPath: new Variant('s', `/etc/systemd/system/${unit.name}`),
    DropInPaths: new Variant('as', []),
    InvocationID: new Variant('ay', unit.invocation),
    TriggeredBy: new Variant('as', []),
    NeedDaemonReload: new Variant('b', unit.needReload),
    RefuseManualStart: new Variant('b', false),
    RefuseManualStop: new Variant('b', false),
    ActiveExitTimestampMonotonic: new Variant('t', unit.stopped),
    StartLimitIntervalUSec: new Variant('t', 10_000_000n),
    ...unit.odd,
  };
}

export function serviceProperties(unit: FakeUnit): Record<string, Variant> {
  return {
    Type: new Variant('s', 'simple'),
    Result: new Variant('s', unit.result),
    NRestarts: new Variant('u', unit.restarts),
    MainPID: new Variant('u', unit.active === 'active' ? 4711 : 0),
    ExecMainStatus: new Variant('i', 0),
    ExecMainCode: new Variant('i', 0),
    ExecMainStartTimestampMonotonic: new Variant('t', unit.started),
    ExecMainExitTimestampMonotonic: new Variant('t', unit.stopped === 0n ? 0n : unit.stopped + 1n),
    Restart: new Variant('s', 'no'),
    RestartUSec: new Variant('t', 100_000n),
    TimeoutStopUSec: new Variant('t', 0xffff_ffff_ffff_ffffn),
    User: new Variant('s', ''),
    ExecStart: new Variant('a(sasbttttuii)', [
      ['/bin/sleep', ['/bin/sleep', '1000'], false, 0n, 0n, 0n, 0n, 0, 0, 0],
      ['/bin/true', ['/bin/true'], false, 0n, 0n, 0n, 0n, 0, 0, 0],
    ]),
    ...unit.odd,
  };
}
