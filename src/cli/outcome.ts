/** What a command that asked for a run says at its end. Pure. */
import { EXIT } from '../errors.ts';
import type { Quarantine } from '../machine/record.ts';
import type { Failure, Outcome } from '../machine/state.ts';
import type { Asked } from './ask.ts';
import { INTERRUPTED, type Ended } from './command.ts';
import type { Trouble } from './config-view.ts';
import { knownExit } from './follow.ts';
import type { Line } from './output.ts';
import { warningLines } from './trouble-text.ts';

export interface OutcomeReport {
  readonly schema: 1;
  readonly node: string;
  readonly request: string;
  readonly result: 'asked' | 'answered' | 'ended' | 'interrupted';
  readonly exit: Ended;
  readonly message?: string;
  readonly outcome?: Outcome;
  readonly action?: string;
  readonly from?: string;
  readonly to?: string;
  readonly failure?: Failure;
  readonly quarantine?: Quarantine;
  /** What a look at the source warns of; it stops nothing yet. */
  readonly warnings?: readonly Trouble[];
}

export function reportOutcome(node: string, { request, followed }: Asked): OutcomeReport {
  const base = { schema: 1, node, request: request.id } as const;
  if (followed === undefined) return { ...base, result: 'asked', exit: EXIT.done };
  switch (followed.kind) {
    case 'answered': {
      const { message, failure } = followed;
      const exit = knownExit(followed.exit);
      return { ...base, result: 'answered', exit, message, ...(failure === undefined ? {} : { failure }) };
    }
    case 'ended': {
      const { exit, outcome, transaction, failure, quarantine } = followed;
      const { action, from, to } = transaction;
      return {
        ...base,
        result: 'ended',
        exit,
        outcome,
        action,
        ...(from === undefined ? {} : { from }),
        to,
        ...(failure === undefined ? {} : { failure }),
        ...(quarantine === undefined ? {} : { quarantine }),
      };
    }
    case 'interrupted':
    case 'silent':
      return { ...base, result: 'interrupted', exit: INTERRUPTED };
  }
}

/** What has not been said yet while it was followed; `bad` is for standard error. */
export function outcomeLines(report: OutcomeReport): { readonly good: Line[]; readonly bad: Line[] } {
  const { node, result, message, failure } = report;
  if (result === 'asked') {
    return {
      good: [`Asked. To see how it goes: node-updater status ${node}, or journalctl -fu node-updater@${node}`],
      bad: [],
    };
  }
  if (result === 'interrupted') return { good: [], bad: interruptedLines(node) };
  const remedy: Line[] = failure === undefined ? [] : [`  → ${failure.remedy}`];
  if (result === 'ended') return { good: [], bad: remedy };
  if (failure !== undefined) return { good: [], bad: [`node-updater: ${failure.message}`, ...remedy] };
  return { good: [`${message ?? ''}.`, ...(report.warnings ?? []).flatMap(warningLines)], bad: [] };
}

function interruptedLines(node: string): Line[] {
  return [
    '',
    'Only the following has ended: systemd goes on with what was asked for.',
    `  → To see how it goes: node-updater status ${node}. To end it and go back: sudo node-updater rollback ${node}`,
  ];
}
