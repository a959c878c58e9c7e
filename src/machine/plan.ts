import { randomUUID } from 'node:crypto';
import { readLinks } from '../activation/links.ts';
import { listStaged } from '../activation/stage.ts';
import { UpdaterError } from '../errors.ts';
import type { Force, Request } from '../orders.ts';
import type { DataFormat } from '../manifest.ts';
import { crossing } from '../policy/epoch.ts';
import type { Decision, Gate } from '../policy/decide.ts';
import type { NodeName, Version } from '../release.ts';
import type { NodeSettings } from '../settings.ts';
import type { MachineContext } from './context.ts';
import type { Ledger } from './ledger.ts';
import { readCheckState } from './state-files.ts';
import type { Transaction } from './state.ts';

/**
 * The transaction that a decision calls for, or undefined when there is nothing to do. Throws POLICY_QUARANTINED and
 * POLICY_NO_TARGET when a person asked for it and is refused.
 */
export async function planUpgrade(
  decision: Decision,
  serial: number,
  request: string,
  ledger: Pick<Ledger, 'records'>,
  context: MachineContext,
): Promise<Transaction | undefined> {
  const { release, artifact, install } = decision;
  const refused = refusalOf(decision, context.settings.node);
  if (refused !== undefined) throw refused;
  if (!install || release === undefined || artifact === undefined) return undefined;
  const { current } = await readLinks(context.layout);
  const forward = crossing(dataOf(current, ledger), release) === 'forward';
  return {
    id: randomUUID(),
    action: current === undefined ? 'install' : 'upgrade',
    ...(current === undefined ? {} : { from: current }),
    to: release.version,
    artifact,
    digest: artifact.sha256,
    data: { epoch: release.epoch, rollback: release.rollback },
    ...(forward ? { way: 'forward' as const } : {}),
    ...(current !== undefined && wantsBackup(forward, context) ? { backup: 'first' as const } : {}),
    serial,
    request,
  };
}

function wantsBackup(forward: boolean, { settings }: MachineContext): boolean {
  return settings.backup !== undefined && (forward || settings.backup.before === 'upgrade');
}

/** The gate that says no, for the answer; the first one, since the later ones may depend on it. */
export function blocking(decision: Decision): Gate | undefined {
  return decision.gates.find((gate) => !gate.passed);
}

/** What a person is told whose wish a gate refuses, with what would overrule it; undefined when none does. Pure. */
export function refusalOf({ refused, release }: Decision, node: NodeName): UpdaterError | undefined {
  if (refused.length === 0) return undefined;
  const code = refused.some(({ gate }) => gate === 'quarantine') ? 'POLICY_QUARANTINED' : 'POLICY_NO_TARGET';
  const message = `The upgrade is refused: ${refused.map((gate) => gate.message).join('; ')}`;
  return new UpdaterError(code, message, { remedy: overruling(refused, release?.version, node) });
}

function overruling(refused: readonly Gate[], version: Version | undefined, node: NodeName): string {
  const forces = refused.flatMap(({ gate }) => FORCE_FOR[gate] ?? []);
  if (version === undefined || forces.length < refused.length) {
    return `Nothing overrules that. What is on offer, and what blocks it: node-updater why ${node}`;
  }
  const flags = forces.map((force) => ` --force ${force}`).join('');
  return `If you want it all the same: sudo node-updater upgrade ${node} --to ${version}${flags}`;
}

const FORCE_FOR: Readonly<Partial<Record<Gate['gate'], Force>>> = {
  newer: 'downgrade',
  quarantine: 'quarantine',
  epoch: 'epoch',
};

/** A rollback asked for by its operator: to a version named, or to the one that was committed before this one. */
export async function planRollback(
  { id: request, to, force = [] }: Extract<Request, { kind: 'rollback' }>,
  ledger: Ledger,
  context: MachineContext,
): Promise<Transaction> {
  const { layout } = context;
  const { current } = await readLinks(layout);
  if (current === undefined) throw noTarget('Nothing is installed, so there is nothing to roll back', context);
  const target = to ?? committedBefore(current, ledger);
  if (target === undefined) throw noTarget(`No version was committed before ${current}`, context);
  if (target === current) throw noTarget(`${target} is what runs already`, context);
  const staged = await listStaged(layout);
  if (!staged.includes(target)) throw noTarget(`${target} is not staged on this host`, context);
  const known = await readCheckState(layout);
  if (known?.withdrawn?.includes(target) === true) throw noTarget(`${target} was withdrawn by its publisher`, context);
  const backward = crossing(dataOf(current, ledger), dataOf(target, ledger)) !== undefined && !force.includes('epoch');
  if (backward) throw dataTooNew(current, target, context);
  const forced = force.length > 0 ? { forced: force } : {};
  return { id: randomUUID(), action: 'rollback', from: current, to: target, ...forced, request };
}

/** What the release of a version said of its data when it was taken here. */
export function dataOf(version: Version | undefined, ledger: Pick<Ledger, 'records'>): DataFormat | undefined {
  const taken = ledger.records.flatMap(({ entry }) => (entry.kind === 'opened' ? [entry.transaction] : []));
  return taken.findLast(({ to, data }) => to === version && data !== undefined)?.data;
}

export function dataTooNew(
  current: Version,
  target: Version,
  { settings }: { readonly settings: Pick<NodeSettings, 'node' | 'backup'> },
): UpdaterError {
  const message = `${current} has moved the data to a format that ${target} is not said to understand`;
  const command = `sudo node-updater rollback ${settings.node} --to ${target}`;
  const data =
    settings.backup === undefined
      ? 'Ask the publisher how to go back.'
      : `With the data as it was before (what was written since is kept beside it): ${command} --restore-data.`;
  return new UpdaterError('POLICY_EPOCH', message, {
    remedy: `${data} With the data of then in its place already, or if you know better: ${command} --force epoch`,
  });
}

/** The version that `current` replaced when it was committed; what was done to its data since replaced none. */
export function committedBefore(current: Version, ledger: Pick<Ledger, 'records'>): Version | undefined {
  const opened = new Map<string, Transaction>();
  let before: Version | undefined;
  for (const { entry } of ledger.records) {
    if (entry.kind === 'opened') opened.set(entry.transaction.id, entry.transaction);
    if (entry.kind !== 'ended' || entry.outcome !== 'committed') continue;
    const transaction = opened.get(entry.tx);
    if (transaction?.to === current && transaction.from !== current) before = transaction.from;
  }
  return before;
}

/** The versions that were ever committed here, the latest first; each once. */
export function committedVersions(ledger: Pick<Ledger, 'records'>): readonly Version[] {
  const opened = new Map<string, Version>();
  const found = new Set<Version>();
  for (const { entry } of ledger.records) {
    if (entry.kind === 'opened') opened.set(entry.transaction.id, entry.transaction.to);
    const version = entry.kind === 'ended' && entry.outcome === 'committed' ? opened.get(entry.tx) : undefined;
    if (version === undefined) continue;
    found.delete(version);
    found.add(version);
  }
  return [...found].reverse();
}

function noTarget(message: string, context: MachineContext): UpdaterError {
  return new UpdaterError('POLICY_NO_TARGET', message, {
    remedy: `See what could be gone back to: node-updater versions ${context.settings.node}`,
  });
}
