/** Each working state's step: what it does, in terms of activation/, artifact/, source/ and trust/. */
import { activate } from '../activation/activate.ts';
import { arm } from '../activation/arm.ts';
import { cleanUp } from '../activation/clean.ts';
import { commit } from '../activation/commit.ts';
import type { Baseline } from '../activation/gate.ts';
import { preflight } from '../activation/preflight.ts';
import { soakNode } from '../activation/soak.ts';
import { startNode, type Before } from '../activation/start.ts';
import { checkVersion } from '../activation/version-check.ts';
import { withdraw } from '../activation/withdraw.ts';
import { UpdaterError } from '../errors.ts';
import type { MachineContext } from './context.ts';
import { gateOld } from './gate-old.ts';
import { stageDrill, unnoticed } from './drill.ts';
import type { Ledger } from './ledger.ts';
import { pruneVersions } from './prune.ts';
import type { OpenTransaction } from './recover.ts';
import type { Answer, Steps } from './run.ts';
import { settle } from './settle.ts';
import type { Transaction } from './state.ts';
import { fetchArtifact, stageArtifact, verifyArtifact } from './supply.ts';

const OK: Answer = { event: 'ok' };

/** `open`: what the ledger knows of the transaction, for the steps that settle it. */
export function makeSteps(
  transaction: Transaction,
  open: OpenTransaction | undefined,
  ledger: Ledger,
  context: MachineContext,
): Steps {
  const { action, from, to } = transaction;
  // What `start` learnt and `soak` and `commit` need; a transaction whose process died never comes back to them.
  let baseline: Baseline = { startedAfter: 0n, restarts: 0 };
  let before: Before = 'running';
  return {
    fetch: () => fetchArtifact(transaction, context),
    verify: () => verifyArtifact(transaction, context),
    stage: () => (action === 'drill' ? stageDrill(transaction, context) : stageArtifact(transaction, context)),
    preflight: async () => {
      const ready = await preflight({ from, to, action, forced: transaction.forced ?? [] }, context);
      if (ready.kind === 'node-stopped') return nodeStopped(action, context);
      before = ready.node;
      return OK;
    },
    arm: async () => done(arm(from, context)),
    activate: async () => done(activate(to, context)),
    start: async () => {
      const started = await startNode(before, context);
      baseline = { startedAfter: started.startedAfter, restarts: 0 };
      return started.operatorStopped ? operator(`${context.unit} was stopped by its operator`) : OK;
    },
    soak: async () => {
      if (action !== 'drill')
        await checkVersion(`${context.layout.current}/${context.settings.binary}`, to, 'current', context);
      const soaked = await soakNode(context.settings.gate.soak, baseline, context);
      return soaked.kind === 'held' ? OK : operator(soaked.message);
    },
    commit: async () => {
      if (action === 'drill') throw unnoticed(context);
      const verdict = await commit(to, baseline, context);
      if (verdict.kind === 'holds') return OK;
      if (verdict.kind === 'operator') return operator(verdict.message);
      throw lastLook(verdict.kind === 'failed' ? verdict.message : `${context.unit} is not running`);
    },
    clean: async () => {
      await cleanUp(context);
      if (from === undefined && context.settings.unit !== undefined) await context.bus.enable([context.unit]);
      return OK;
    },
    prune: () => pruneVersions(transaction, ledger, context),
    settle: async () => (open === undefined ? OK : settle(open, context)),
    withdraw: async () => done(withdraw(context)),
    'gate-old': () => gateOld(open, context),
  };
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
  const command = action === 'rollback' ? 'rollback' : 'upgrade';
  const remedy = `The version is staged. Start the node, then type: sudo node-updater ${command} ${context.settings.node}`;
  return { event: 'operator', failure: { code: 'HOST_NODE_STOPPED', message, remedy } };
}

function lastLook(message: string): UpdaterError {
  return new UpdaterError('GATE_EXITED', `At the end of the soak ${message}`, {
    remedy: 'See: journalctl -u the node',
  });
}
