/** The design that is explored: the real table and judgements, the effects of each step, and the commands of the units. */
import type { Entry } from '../../../../src/machine/record.ts';
import type { Event, State, Transaction, Working } from '../../../../src/machine/state.ts';
import { begin, next } from '../../../../src/machine/transitions.ts';
import { BACKUP } from './backup.ts';
import type { Effect, Limits, Program } from './effect.ts';
import { ENDING } from './ending.ts';
import { FORWARD } from './forward.ts';
import { REVERT, type Line, type Part } from './fallback.ts';
import { HELD, RESTORE } from './restore.ts';
import { UPGRADING } from './upgrading.ts';
import type { World } from './world.ts';

export interface Design {
  readonly next: (state: Working, event: Event) => State | undefined;
  readonly begin: (transaction: Transaction) => Working;
  readonly program: Program;
  readonly revert: readonly Line[];
  /** What keeps node-updater-boot@ from acting, besides that there is no `fallback`. */
  readonly bootKeepsOff: (w: World) => boolean;
  /** What a run removes before it looks at anything. */
  readonly sweep: (w: World, transaction: 'open' | 'none') => void;
  /** What a run does where the file `restoring` holds the node down for nothing that is open. */
  readonly held: readonly Effect[];
  /** Whether what was asked for waits until the fallback has done what a settled transaction left to it. */
  readonly serves: 'after the fallback' | 'at once';
  /** Whether the end of the transaction's unit starts node-updater-revert@. */
  readonly deadMan: 'set' | 'missing';
  readonly limits: Limits;
  /** What becomes of an entry on its way into the ledger. */
  readonly writes: (entry: Entry) => Entry;
}

export const REAL: Design = {
  next,
  begin,
  program: { ...UPGRADING, ...ENDING, ...BACKUP, ...RESTORE, ...FORWARD },
  revert: REVERT,
  bootKeepsOff: (w) => w.open,
  sweep: (w, transaction) => {
    Object.assign(w, { litter: false, copy: '' });
    if (transaction === 'open' || w.fallback !== '') return;
    Object.assign(w, {
      open: false,
      down: '',
      blind: false,
      stopped: false,
      restart: false,
      dropIn: false,
      loaded: false,
    });
  },
  held: HELD,
  serves: 'after the fallback',
  deadMan: 'set',
  limits: { resumes: 1, tries: 2 },
  writes: (entry) => entry,
};

/** The same design with another effect in place of the one that says `say`; it keeps its place, and the places of the others. */
export function withEffect(design: Design, state: Working, say: string, by: (effect: Effect) => Effect): Design {
  const effects = design.program[state];
  if (!effects.some((effect) => effect.say === say)) throw new Error(`${state} has no effect "${say}"`);
  const changed = effects.map((effect) => (effect.say === say ? by(effect) : effect));
  return { ...design, program: { ...design.program, [state]: changed } };
}

export function withoutEffect(design: Design, state: Working, say: string): Design {
  return withEffect(design, state, say, () => ({ say: `does not do: ${say}`, act: () => 'next' }));
}

/** The same design with another part in place of each part of node-updater-revert@ that says `say`. */
export function withPart(design: Design, say: string, by: (part: Part) => Part): Design {
  if (!design.revert.some(({ parts }) => parts.some((part) => part.say === say))) throw new Error(`no part "${say}"`);
  const swap = (part: Part): Part => (part.say === say ? by(part) : part);
  return { ...design, revert: design.revert.map((line) => ({ ...line, parts: line.parts.map(swap) })) };
}

export function withRows(design: Design, rows: Readonly<Record<string, State>>): Design {
  return { ...design, next: (state, event) => rows[`${state} ${event}`] ?? design.next(state, event) };
}
