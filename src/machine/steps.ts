/** Each working state's step: what it does, in terms of activation/, artifact/, source/ and trust/. */
import { activate } from '../activation/activate.ts';
import { arm } from '../activation/arm.ts';
import { cleanUp } from '../activation/clean.ts';
import { startAtBoot } from '../activation/boot-start.ts';
import { commit } from '../activation/commit.ts';
import { gateError } from '../activation/gate.ts';
import { preflight } from '../activation/preflight.ts';
import { soakNode } from '../activation/soak.ts';
import { startNode } from '../activation/start.ts';
import { checkVersion } from '../activation/version-check.ts';
import { withdraw } from '../activation/withdraw.ts';
import type { MachineContext } from './context.ts';
import { briefly, gateOld } from './gate-old.ts';
import { backUp, goBack, orStranded, restore, resume, stopForBackup, tidyBackups } from './data-steps.ts';
import { stageDrill, unnoticed } from './drill.ts';
import type { Ledger } from './ledger.ts';
import type { Progress } from './progress.ts';
import { pruneVersions } from './prune.ts';
import type { OpenTransaction } from './recover.ts';
import type { Answer, Steps } from './run.ts';
import { settle } from './settle.ts';
import type { Transaction } from './state.ts';
import { fetchArtifact, stageArtifact, verifyArtifact } from './supply.ts';

const OK: Answer = { event: 'ok' };

/** `open`: what the ledger knows of the transaction, for the steps that settle it; `asked`: what was asked for since. */
export function makeSteps(
  transaction: Transaction,
  open: OpenTransaction | undefined,
  asked: 'rollback' | undefined,
  ledger: Ledger,
  context: MachineContext,
): Steps {
  const { action, from, to } = transaction;
  const progress: Progress = { baseline: { startedAfter: 0n, restarts: 0 }, before: 'running' };
  return {
    fetch: () => fetchArtifact(transaction, context),
    verify: () => verifyArtifact(transaction, context),
    stage: () => (action === 'drill' ? stageDrill(transaction, context) : stageArtifact(transaction, context)),
    preflight: async () => {
      const ready = await preflight({ ...transaction, from, forced: transaction.forced ?? [] }, context);
      if (ready.kind === 'node-stopped') return nodeStopped(action, context);
      progress.before = ready.node;
      return OK;
    },
    arm: async () => {
      await arm(transaction.way === 'forward' ? undefined : from, context);
      const then = transaction.restore !== undefined ? 'restore' : transaction.backup !== undefined ? 'backup' : 'ok';
      return { event: then, facts: { node: progress.before } };
    },
    stop: () => stopForBackup(progress, context),
    backup: () => backUp(transaction, progress, ledger, context),
    activate: async () => done(activate(to, context)),
    start: () => orStranded(transaction, () => start(progress, context)),
    soak: () => orStranded(transaction, () => soak(transaction, progress, context)),
    commit: () => orStranded(transaction, () => commitVersion(transaction, progress, context)),
    clean: async () => done(cleanUp(context)),
    prune: async () => {
      // Hours on a large node: who asked for a rollback does not wait for that, and the next transaction does it.
      if (asked === undefined) await tidyBackups(transaction, progress, open, context);
      return pruneVersions(transaction, ledger, context);
    },
    settle: async () => (open === undefined ? OK : settle(open, asked, context)),
    withdraw: async () => done(withdraw(context)),
    'gate-old': () => gateOld(open, context),
    resume: () => orStranded(transaction, () => resume(transaction, progress, ledger, context)),
    restore: () => restore(transaction, progress, open, ledger, context),
    'go-back': () => goBack(transaction, progress, open, ledger, context),
  };
}

async function start(progress: Progress, context: MachineContext): Promise<Answer> {
  if (progress.before === 'resting') return { event: 'resting' };
  const { startedAfter, operatorStopped } = await startNode(progress.before, context);
  progress.baseline = { startedAfter, restarts: 0 };
  return operatorStopped ? operator(`${context.unit} was stopped by its operator`) : OK;
}

async function soak({ action, to }: Transaction, progress: Progress, context: MachineContext): Promise<Answer> {
  const { gate, binary } = context.settings;
  if (action !== 'drill') await checkVersion(`${context.layout.current}/${binary}`, to, 'current', context);
  const soaked = await soakNode(action === 'backup' ? briefly(gate.soak) : gate.soak, progress.baseline, context);
  return soaked.kind === 'held' ? OK : operator(soaked.message);
}

async function commitVersion(
  { action, from, to }: Transaction,
  progress: Progress,
  context: MachineContext,
): Promise<Answer> {
  if (action === 'drill') throw unnoticed(context);
  const verdict = await commit(to, progress.baseline, context);
  if (verdict.kind === 'operator') return operator(verdict.message);
  if (verdict.kind === 'failed')
    throw gateError({ ...verdict, message: `At the end of the soak ${verdict.message}` }, context.unit);
  if (from === undefined && context.settings.unit !== undefined) await startAtBoot(context);
  return OK;
}

async function done(effect: Promise<void>): Promise<Answer> {
  await effect;
  return OK;
}

function operator(message: string): Answer {
  return { event: 'operator', facts: { message } };
}

function nodeStopped(action: Transaction['action'], context: MachineContext): Answer {
  const message = `${context.unit} is stopped, and what its operator stopped is not started by us`;
  const { node } = context.settings;
  const command = action === 'drill' ? `drill ${node} --yes` : `${action === 'rollback' ? action : 'upgrade'} ${node}`;
  const staged = action === 'drill' ? '' : 'The version is staged. ';
  const remedy = `${staged}Start the node, then type: sudo node-updater ${command}`;
  return { event: 'operator', failure: { code: 'HOST_NODE_STOPPED', message, remedy } };
}
