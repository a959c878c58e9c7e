/** A node with a story: installed, upgraded, and put back from a bad release. Facts for what is pure. */
import type { ConfigView, NodeConfig } from '../../../src/cli/config-view.ts';
import type { NodeFacts } from '../../../src/cli/facts.ts';
import type { Line } from '../../../src/cli/output.ts';
import type { Units, UnitView } from '../../../src/cli/units.ts';
import type { Entry } from '../../../src/machine/record.ts';
import type { CheckState } from '../../../src/machine/state-files.ts';
import { committed, NODE, recordsOf, rolledBack, START, upgrade, v } from './ledger.ts';

export const NOW = START + 3_600_000;
export const INSTALL = upgrade('t0', undefined, '1.0.0');
export const UPGRADE = upgrade('t1', '1.0.0', '2.0.0', 'r1');
export const BAD = upgrade('t2', '2.0.0', '3.0.0', 'r2');
export const STORY = [...committed(INSTALL), ...committed(UPGRADE), ...rolledBack(BAD)];

export const CHECK: CheckState = {
  schema: 1,
  at: NOW - 12 * 60_000,
  answered: NOW - 12 * 60_000,
  offered: v('3.0.0'),
  install: false,
  gates: [
    { gate: 'offered', passed: true, message: '3.0.0 is offered in channel stable' },
    { gate: 'not-before', passed: false, message: 'its publisher holds it back for now', opens: NOW + 7_200_000 },
    { gate: 'quarantine', passed: false, message: 'it failed here: workerd.service exited once' },
  ],
  expires: NOW + 86_400_000,
};

export function facts(entries: readonly Entry[], changes: Partial<NodeFacts> = {}): NodeFacts {
  return {
    node: NODE,
    links: { current: v('2.0.0'), fallback: undefined },
    ledger: { records: recordsOf(entries) },
    check: CHECK,
    problems: [],
    ...changes,
  };
}

/** As if every node file said `interval = "1h"`. */
export function config(errors: NodeConfig['errors'] = [], changes: Partial<ConfigView> = {}): ConfigView {
  const one: NodeConfig = errors.length > 0 ? { errors } : { errors, interval: 3_600_000 };
  return { general: [], stops: 'none', nodes: new Map([[NODE, one]]), ...changes };
}

export const unit = (active: string, changes: Partial<UnitView> = {}): UnitView => ({
  load: 'loaded',
  active,
  sub: active,
  status: '',
  triggeredBy: [],
  ...changes,
});

export function units(changes: Readonly<Record<string, UnitView>> = {}): Units {
  const base = {
    'node-updater.timer': unit('active', { next: NOW + 23 * 60_000 }),
    'node-updater.service': unit('inactive', { exitStatus: 0 }),
    'workerd.service': unit('active', { sub: 'running' }),
    'node-updater@workerd.service': unit('inactive'),
    'node-updater-revert@workerd.service': unit('inactive'),
  };
  return { known: true, units: new Map(Object.entries({ ...base, ...changes })) };
}

export const text = (lines: readonly Line[]): string =>
  lines.map((line) => (typeof line === 'string' ? line : line.text)).join('\n');
