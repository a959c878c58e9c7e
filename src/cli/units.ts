/** What systemd says about our units, without root: one systemctl, which costs less than to load a D-Bus library. */
import type { Run } from '../host/ports.ts';
import { UpdaterError } from '../errors.ts';
import type { NodeName } from '../release.ts';

export interface UnitView {
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** What the unit says it does; empty when it says nothing. */
  readonly status: string;
  readonly exitStatus?: number;
  /** A timer's next moment, in milliseconds since the epoch. */
  readonly next?: number;
  /** The units that can start it: sockets, timers, paths. */
  readonly triggeredBy: readonly string[];
}

/** `known` is false when systemd could not be asked; `why` says how it failed. */
export type Units =
  | { readonly known: true; readonly units: ReadonlyMap<string, UnitView> }
  | { readonly known: false; readonly why: string };

export const TIMER = 'node-updater.timer';
export const RUN_SERVICE = 'node-updater.service';

export function transactionUnit(node: NodeName): string {
  return `node-updater@${node}.service`;
}

export function revertUnit(node: NodeName): string {
  return `node-updater-revert@${node}.service`;
}

const PROPERTIES = 'Id,LoadState,ActiveState,SubState,StatusText,ExecMainStatus,NextElapseUSecRealtime,TriggeredBy';
const TIMEOUT = 5_000;

/** Never fails: `status` must also work where systemd does not answer, and say so. */
export async function askUnits(nodes: readonly NodeName[], run: Run): Promise<Units> {
  const names = [
    TIMER,
    RUN_SERVICE,
    ...nodes.flatMap((node) => [`${node}.service`, transactionUnit(node), revertUnit(node)]),
  ];
  try {
    const result = await run(['systemctl', 'show', '-p', PROPERTIES, '--', ...names], {
      timeout: TIMEOUT,
      // UTC, so that times are read the same everywhere; systemctl itself needs no more than its path.
      env: { PATH: '/usr/bin:/bin', TZ: 'UTC', LC_ALL: 'C' },
    });
    if (result.status === 0) return { known: true, units: parseShow(result.stdout.toString('utf8')) };
    const said = result.stderr.toString('utf8').trim().split('\n')[0] ?? '';
    return { known: false, why: result.timedOut ? 'systemctl did not answer' : said };
  } catch (error) {
    if (error instanceof UpdaterError) return { known: false, why: error.message };
    throw error;
  }
}

/** Pure: blocks of `Key=Value` lines, one for each unit, an empty line between two. */
export function parseShow(text: string): ReadonlyMap<string, UnitView> {
  const units = new Map<string, UnitView>();
  for (const block of text.split(/\n\n+/)) {
    const values = new Map(block.split('\n').map((line) => [line.replace(/=.*$/s, ''), line.replace(/^[^=]*=/, '')]));
    const id = values.get('Id');
    if (id !== undefined && id !== '') units.set(id, viewOf(values));
  }
  return units;
}

function viewOf(values: ReadonlyMap<string, string>): UnitView {
  const exitStatus = Number(values.get('ExecMainStatus') ?? NaN);
  const next = parseTime(values.get('NextElapseUSecRealtime') ?? '');
  return {
    load: values.get('LoadState') ?? '',
    active: values.get('ActiveState') ?? '',
    sub: values.get('SubState') ?? '',
    status: values.get('StatusText') ?? '',
    triggeredBy: (values.get('TriggeredBy') ?? '').split(' ').filter((name) => name !== ''),
    ...(Number.isNaN(exitStatus) ? {} : { exitStatus }),
    ...(next === undefined ? {} : { next }),
  };
}

/** `Sat 2026-11-21 01:03:00 UTC`. */
function parseTime(text: string): number | undefined {
  const parts = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? UTC$/.exec(text);
  return parts === null ? undefined : Date.parse(`${parts[1] ?? ''}T${parts[2] ?? ''}Z`);
}

/** Systemd could not put the version before back, and waits to try again. */
export function isStuck(revert: { readonly sub: string } | undefined): boolean {
  return revert?.sub.startsWith('auto-restart') === true;
}

/** Down, and not because its socket lets it rest: its operator stopped it, or it has failed. */
export function isDown(unit: UnitView | undefined): boolean {
  if (unit === undefined || !['inactive', 'failed'].includes(unit.active)) return false;
  return !unit.triggeredBy.some((name) => name.endsWith('.socket'));
}

export function isBusy(unit: UnitView | undefined): boolean {
  return unit !== undefined && !['inactive', 'failed', ''].includes(unit.active);
}
