/**
 * Asks the transaction unit of a node for a run, and follows it. Nothing is done here that the timer would not do: sandbox,
 * journal and limits are the same for a person.
 */
import { readFile, unlink } from 'node:fs/promises';
import { loadSettings, requireNode } from '../config/load.ts';
import { UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { SystemBus } from '../host/ports.ts';
import type { NodeLayout } from '../layout.ts';
import { readCause } from '../machine/cause.ts';
import { readLedger } from '../machine/ledger.ts';
import type { LedgerRecord } from '../machine/record.ts';
import { findOpen } from '../machine/recover.ts';
import { leaveRequest } from '../machine/request.ts';
import type { Request, RequestKind } from '../orders.ts';
import type { NodeName } from '../release.ts';
import type { NodeSettings } from '../settings.ts';
import { oneNode } from './facts.ts';
import { follow, type Followed } from './follow.ts';
import { heldDown } from './held-down.ts';
import type { Host } from './host.ts';
import { needsRoot } from './needs-root.ts';
import { revertFailed } from './stuck.ts';
import { isStuck, revertUnit, transactionUnit } from './units.ts';

export interface Target {
  readonly node: NodeName;
  readonly layout: NodeLayout;
  readonly settings: NodeSettings;
}

export interface Asked {
  readonly request: Request;
  readonly followed: Followed | undefined;
}

export interface Asking {
  readonly kind: RequestKind;
  readonly then: 'follow' | 'no-wait';
  /** Gets what stands in the ledger before, and gives what is called with each record that comes. */
  narrate(before: readonly LedgerRecord[]): (record: LedgerRecord) => void;
}

/** How often a request that nobody took is handed over again: another run was just ending when it was left. */
const HAND_OVERS = 3;

/** Throws USAGE_NOT_PERMITTED, CONFIG_*, before anything is touched. */
export function actOn(name: string | undefined, what: string, host: Host): Target {
  if (host.uid !== 0) throw needsRoot(what, host);
  const node = oneNode(name, host);
  const settings = requireNode(loadSettings(host.layout, host.env, host.uid), node);
  return { node, layout: host.layout.node(node), settings };
}

/**
 * Throws HOST_LOCKED when a run is under way or asked for already, ACTIVATE_REVERT when the version before cannot be put
 * back, HOST_BUS, HOST_UNIT, HOST_LEDGER.
 */
export async function ask(asking: Asking, target: Target, host: Host): Promise<Asked> {
  const { node, layout } = target;
  const files = await host.files();
  await files.makeDirectory(layout.state, 0o755);
  await files.makeDirectory(layout.run, 0o755);
  const before = await readLedger(layout.ledger);
  const bus = await host.bus(busLog(host));
  try {
    const busy = await isAlive(target, bus, host);
    if (busy && asking.kind.kind !== 'rollback') throw underWay(node, before.records);
    const request = await leave(asking.kind, target, busy, bus, host);
    await orTakeBack(request, layout, () => hand(asking.kind, busy, before.records, node, bus));
    if (asking.then === 'no-wait') return { request, followed: undefined };
    const following = () => followRequest(request, before.records, asking, target, bus, host);
    // A rollback that could not be ends with what it wanted all the same, as soon as the fallback can do its work.
    const followed = await (asking.kind.kind === 'rollback' ? following() : orTakeBack(request, layout, following));
    return { request, followed };
  } finally {
    await bus.close();
  }
}

/** A request that somebody left and nobody took would lock the node for ever: its unit is started before we say so. */
async function leave(
  kind: RequestKind,
  { node, layout }: Target,
  busy: boolean,
  bus: SystemBus,
  host: Host,
): Promise<Request> {
  try {
    return await leaveRequest(kind, layout, host.clock());
  } catch (error) {
    if (error instanceof UpdaterError && error.code === 'HOST_LOCKED' && !busy) {
      await bus.startNoWait(transactionUnit(node));
    }
    throw error;
  }
}

/**
 * A rollback in the middle of a transaction ends that one: its unit is stopped, systemd puts the version before back, and
 * the run that settles it takes the request.
 */
async function hand(
  kind: RequestKind,
  busy: boolean,
  records: readonly LedgerRecord[],
  node: NodeName,
  bus: SystemBus,
): Promise<void> {
  const unit = transactionUnit(node);
  if (!busy) await bus.startNoWait(unit);
  else if (kind.kind === 'rollback' && findOpen(records) !== undefined) await bus.stopNoWait(unit);
}

async function followRequest(
  request: Request,
  before: readonly LedgerRecord[],
  asking: Asking,
  target: Target,
  bus: SystemBus,
  host: Host,
): Promise<Followed> {
  const { node, layout } = target;
  let left = HAND_OVERS;
  const followed = await follow(
    { ledger: layout.ledger, request: request.id, after: before.at(-1)?.n ?? 0 },
    {
      clock: host.clock(),
      alive: orBelieved(() => isAlive(target, bus, host), host),
      async again() {
        if (left === 0 || !(await waits(request, layout))) return false;
        left -= 1;
        await bus.startNoWait(transactionUnit(node));
        return true;
      },
      onRecord: asking.narrate(before),
      signal: host.onSignal('SIGINT'),
    },
  );
  if (followed.kind === 'silent') {
    await takeBack(request, layout);
    const { records } = await readLedger(layout.ledger);
    throw heldDown(records) ?? (await unrecorded(request.id, records, layout, host)) ?? silent(node);
  }
  return followed;
}

/** Without the bus nobody can say whether the units run, but the ledger goes on telling what they do. */
function orBelieved(look: () => Promise<boolean>, host: Host): () => Promise<boolean> {
  let said = false;
  return async () => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof UpdaterError) || error.code !== 'HOST_BUS') throw error;
      if (!said)
        host.output.complain([`node-updater: ${error.message}; following the ledger alone. Ctrl-C ends that.`]);
      said = true;
      return true;
    }
  };
}

/** Throws ACTIVATE_REVERT when the fallback has failed: it tries again, but nobody should wait for that. */
async function isAlive({ node, layout }: Target, bus: SystemBus, host: Host): Promise<boolean> {
  const facts = await Promise.all([transactionUnit(node), revertUnit(node)].map((unit) => bus.facts(unit)));
  if (isStuck({ sub: facts[1]?.subState ?? '' })) throw await revertFailed(node, layout, host.run);
  return facts.some(({ activeState }) => activeState !== 'inactive' && activeState !== 'failed');
}

async function orTakeBack<T>(request: Request, layout: NodeLayout, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await takeBack(request, layout);
    throw error;
  }
}

/** Whether the request still lies where it was left. */
async function waits({ id }: Request, layout: NodeLayout): Promise<boolean> {
  const text = await ifThere(readFile(layout.request, 'utf8'), undefined);
  return text !== undefined && (JSON.parse(text) as Partial<Request>).id === id;
}

async function takeBack(request: Request, layout: NodeLayout): Promise<void> {
  if (await waits(request, layout)) await unlink(layout.request);
}

function busLog(host: Host): { warn(message: string): void } {
  return {
    warn: (message) => {
      host.output.complain([`node-updater: ${message}`]);
    },
  };
}

function underWay(node: NodeName, records: readonly LedgerRecord[]): UpdaterError {
  const open = findOpen(records);
  const what = open === undefined ? 'A run' : `The ${open.transaction.action} to ${open.transaction.to}`;
  const end = open === undefined ? '' : ` To end it and go back: sudo node-updater rollback ${node}`;
  return new UpdaterError('HOST_LOCKED', `${what} is under way for ${node}`, {
    remedy: `See how far it is: node-updater status ${node}. Then type the command again.${end}`,
  });
}

/** What the ledger had no room for. */
async function unrecorded(
  request: string,
  records: readonly LedgerRecord[],
  layout: NodeLayout,
  host: Host,
): Promise<UpdaterError | undefined> {
  const open = findOpen(records)?.transaction;
  const ours = open === undefined ? request : open.id;
  const failure = open === undefined || open.request === request ? await readCause(ours, layout) : undefined;
  if (failure === undefined) return undefined;
  // A settling run needs the note of a transaction; one of a request has been read now.
  if (open === undefined) await (await host.files()).remove(layout.causeMark);
  return new UpdaterError(failure.code, failure.message, { remedy: failure.remedy });
}

function silent(node: NodeName): UpdaterError {
  return new UpdaterError('HOST_UNIT', `${transactionUnit(node)} ended without an answer`, {
    remedy: `See why: journalctl -u ${transactionUnit(node)} -u ${revertUnit(node)} -n 50`,
  });
}
