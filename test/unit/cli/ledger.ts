/** Ledgers for tests, made by the real ledger with clocks that stand where the test puts them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { durableFiles } from '../../../src/host/files.ts';
import type { Clock, Files, Log } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt, type Layout, type NodeLayout } from '../../../src/layout.ts';
import { openLedger } from '../../../src/machine/ledger.ts';
import type { Entry, LedgerRecord } from '../../../src/machine/record.ts';
import type { Transaction } from '../../../src/machine/state.ts';
import { parseNodeName, parseVersion, type NodeName, type Version } from '../../../src/release.ts';
import { hostClock } from '../../../src/host/clock.ts';

export const START = Date.parse('2026-11-20T12:00:00Z');
export const NODE = 'workerd' as NodeName;

export function v(text: string): Version {
  const version = parseVersion(text);
  if (version === undefined) throw new TypeError(text);
  return version;
}

export function node(text: string): NodeName {
  const name = parseNodeName(text);
  if (name === undefined) throw new TypeError(text);
  return name;
}

export interface TestHost {
  readonly root: string;
  readonly layout: Layout;
  readonly place: NodeLayout;
  readonly files: Files;
}

export async function testHost(): Promise<TestHost> {
  const root = await mkdtemp(join(tmpdir(), 'node-updater-cli-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const layout = layoutAt(root);
  const files = durableFiles(run);
  const place = layout.node(NODE);
  for (const path of [place.state, place.run, place.versions]) await files.makeDirectory(path, 0o755);
  return { root, layout, place, files };
}

export function silentLog(): Log {
  const quiet = () => undefined;
  return { debug: quiet, info: quiet, warn: quiet, error: quiet, milestone: () => Promise.resolve() };
}

/** One second passes with each record. */
export function tickingClock(bootId = 'boot-1'): Clock {
  let ticks = 0;
  return {
    bootId,
    now: () => START + ticks * 1000,
    monotonic: () => BigInt(++ticks) * 1_000_000n,
    wait: (ms, signal) => hostClock().wait(ms, signal),
  };
}

export async function writeLedger(
  path: string,
  files: Files,
  entries: readonly Entry[],
): Promise<readonly LedgerRecord[]> {
  const ledger = await openLedger(path, files, tickingClock());
  for (const entry of entries) await ledger.append(entry);
  return ledger.records;
}

/** Records without a disk, for what is pure. */
export function recordsOf(entries: readonly Entry[], boots: Readonly<Record<number, string>> = {}): LedgerRecord[] {
  let boot = 'boot-1';
  return entries.map((entry, at) => {
    boot = boots[at] ?? boot;
    return {
      v: 1,
      n: at + 1,
      prev: '',
      at: new Date(START + at * 1000).toISOString(),
      boot,
      mono: String(at * 1_000_000),
      entry,
    };
  });
}

export function upgrade(id: string, from: string | undefined, to: string, request?: string): Transaction {
  return {
    id,
    action: from === undefined ? 'install' : 'upgrade',
    ...(from === undefined ? {} : { from: v(from) }),
    to: v(to),
    ...(request === undefined ? {} : { request }),
  };
}

/** The records of an upgrade that works. */
export function committed(transaction: Transaction): Entry[] {
  const tx = transaction.id;
  const step = (
    state: Extract<Entry, { kind: 'intent' }>['state'],
    then: Extract<Entry, { kind: 'result' }>['then'],
  ): Entry[] => [
    { kind: 'intent', tx, state },
    { kind: 'result', tx, state, event: 'ok', then },
  ];
  return [
    { kind: 'opened', transaction },
    ...step('arm', 'activate'),
    ...step('activate', 'start'),
    ...step('start', 'soak'),
    ...step('soak', 'commit'),
    { kind: 'ended', tx, outcome: 'committed' },
  ];
}

const FAILURE = {
  code: 'GATE_EXITED',
  message: 'workerd.service exited once',
  remedy: 'journalctl -u workerd',
} as const;

/** The records of an upgrade whose version crashed, was put back and quarantined. */
export function rolledBack(transaction: Transaction): Entry[] {
  const tx = transaction.id;
  return [
    { kind: 'opened', transaction },
    { kind: 'intent', tx, state: 'soak' },
    { kind: 'result', tx, state: 'soak', event: 'failed', then: 'yield', failure: FAILURE },
    { kind: 'intent', tx, state: 'settle' },
    { kind: 'result', tx, state: 'settle', event: 'put-back', then: 'gate-old' },
    { kind: 'intent', tx, state: 'gate-old' },
    { kind: 'result', tx, state: 'gate-old', event: 'ok', then: 'rolled-back' },
    {
      kind: 'ended',
      tx,
      outcome: 'rolled-back',
      failure: FAILURE,
      quarantine: { version: transaction.to, cause: 'gate', message: FAILURE.message },
    },
  ];
}
