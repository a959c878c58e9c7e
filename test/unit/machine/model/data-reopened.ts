/** Holes that the model found once in what is done to the node's data: each opened again, the checker must find it again. */
import { HALF, OPERATORS, going, refusing } from './data-mutants.ts';
import { withEffect, withoutEffect, type Design } from './design.ts';
import { OK, type Effect } from './effect.ts';
import type { Mutant } from './mutants.ts';
import { isDown } from './node.ts';

/** The second time that `restoring` is written comes behind the stop. */
function later(design: Design, says: readonly string[]): Design {
  const { restore } = design.program;
  const from = restore.findIndex(({ say }) => say === says[0]);
  const to = restore.findIndex(({ say }) => say === 'names what it has stopped for the room');
  const moved = restore.slice(from, from + says.length);
  const stop = restore.slice(from + says.length, to + 1);
  const program = [...restore.slice(0, from), ...stop, ...moved, ...restore.slice(to + 1)];
  return { ...design, program: { ...design.program, restore: program } };
}

function without(effects: readonly Effect[], say: string): readonly Effect[] {
  return effects.map((effect) => (effect.say === say ? { say: `does not do: ${say}`, act: () => 'next' } : effect));
}

export const DATA_REOPENED: readonly Mutant[] = [
  {
    is: 'leaves a hold that no restore needs',
    change: (design) => ({ ...design, held: [] }),
    kinds: [],
    scenario: 'held',
    wrong: /held down, and nothing goes on|left over: the file `restoring`/,
  },
  {
    is: 'ends a hold without a mark for the fallback',
    change: (design) => ({ ...design, held: without(design.held, 'marks `open`') }),
    kinds: ['kill'],
    scenario: 'held',
    wrong: /left down/,
  },
  {
    is: 'starts what rests under a hold',
    change: (design) => ({
      ...design,
      held: design.held.map((effect) =>
        effect.say === 'reads the file `restoring`'
          ? { ...effect, act: (w, about) => effect.act(Object.assign(w, { restoring: 'start' }), about) }
          : effect,
      ),
    }),
    kinds: [],
    scenario: 'held-resting',
    wrong: OPERATORS,
  },
  {
    is: 'begins anew on a node that is left to the fallback',
    change: (design) => ({ ...design, serves: 'at once' }),
    kinds: ['host crash', 'request', 'bus'],
    scenario: 'restore-resting',
    wrong: /left down/,
  },
  {
    is: 'resumes a version that was switched to and never started',
    change: (design) =>
      withEffect(design, 'resume', 'looks at the node', (look) => ({
        ...look,
        act: (w, about) => (isDown(w) || w.runs === '' || w.runs === 'new' ? look.act(w, about) : OK),
      })),
    kinds: ['kill'],
    scenario: 'epoch without backup',
    wrong: /was committed that does not run|old runs, and current is new/,
  },
  {
    is: 'leaves a journal whose write has failed',
    change: (design) => {
      const to = design.program.restore.findIndex(({ say }) => say === 'looks what becomes of the node');
      return refusing(
        design,
        'restore',
        'flushes the open journal',
        (w, code) => ((w.code = code), (w.room = false), { to }),
      );
    },
    kinds: ['disk'],
    scenario: 'restore',
    wrong: HALF,
  },
  {
    is: 'starts after a restore what its operator has stopped before it',
    change: (design) =>
      withEffect(design, 'restore', 'makes the file `restoring`', (make) => ({
        ...make,
        act: (w, about) => {
          w.then = 'start';
          return make.act(w, about);
        },
      })),
    kinds: ['operator and node'],
    scenario: 'restore',
    wrong: OPERATORS,
  },
  {
    is: 'marks a node that was down already as down by our doing',
    change: (design) =>
      withEffect(design, 'restore', 'looks whom it stops', (look) => ({
        ...look,
        act: (w, about) => {
          w.down = 'same';
          return look.act(w, about);
        },
      })),
    kinds: ['kill'],
    scenario: 'restore-resting',
    wrong: OPERATORS,
  },
  {
    is: 'leaves down what somebody started before the restore',
    change: (design) =>
      withEffect(design, 'restore', 'writes so into `restoring`', (write) => ({
        ...write,
        act: (w, about) => {
          w.then = 'rest';
          return write.act(w, about);
        },
      })),
    kinds: ['operator and node'],
    scenario: 'restore-resting',
    wrong: /left down/,
  },
  {
    is: 'says that what somebody has started is to be started again only when it has stopped it',
    change: (design) => later(design, ['writes so into `restoring`', 'flushes that']),
    kinds: ['operator and node', 'kill'],
    scenario: 'restore-resting',
    wrong: /left down/,
  },
  {
    is: 'names in its mark what ran before its stop',
    change: (design) =>
      withEffect(
        withEffect(design, 'stop', 'looks whom it stops', (look) => ({
          ...look,
          act: (w, about) => {
            w.read = 'same';
            return look.act(w, about);
          },
        })),
        'stop',
        'marks the node as down by our doing',
        (mark) => ({
          ...mark,
          act: (w, about) => {
            const flow = mark.act(w, about);
            w.down = w.read === 'stale' ? 'stale' : 'same';
            return flow;
          },
        }),
      ),
    kinds: ['node ends', 'kill'],
    scenario: 'backed-up upgrade',
    wrong: /left down/,
  },
  {
    is: 'takes a node that answered its stop with an error for one that has failed by itself',
    change: (design) =>
      withEffect(design, 'resume', 'looks at the node', (look) => ({
        ...look,
        act: (w, about) => look.act(Object.assign(w, { result: w.result === 'told' ? 'exit-code' : w.result }), about),
      })),
    kinds: ['host crash', 'operator and node'],
    scenario: 'epoch',
    daemon: { sulky: true },
    wrong: OPERATORS,
  },
  {
    is: 'takes a stop of its operator that is under way for its own',
    change: (design) =>
      withEffect(design, 'stop', 'looks whom it stops', (look) => ({
        ...look,
        act: (w, about) => (w.act === 'deactivating' ? 'next' : look.act(w, about)),
      })),
    kinds: ['operator and node'],
    scenario: 'backed-up upgrade',
    wrong: OPERATORS,
  },
  {
    is: 'asks for a person when the bus is lost as it starts the node',
    change: (design) => {
      const to = design.program.restore.findIndex(({ say }) => say === 'looks for the drop-in');
      return refusing(design, 'restore', 'asks for a start', (w, code) => ((w.code = code), { to }));
    },
    kinds: ['bus'],
    scenario: 'restore',
    wrong: /left down/,
  },
  {
    is: 'goes on with a restore after a boot without the mark `open`',
    change: (design) => withoutEffect(design, 'restore', 'marks `open`'),
    kinds: ['host crash', 'kill'],
    scenario: 'restore',
    wrong: /nothing goes on|left down/,
  },
  {
    is: 'goes by an open journal that is not on the disk',
    change: (design) => withoutEffect(design, 'restore', 'flushes the journal that it goes by'),
    kinds: ['kill'],
    scenario: 'restore',
    wrong: /a journal that is not on the disk/,
  },
  {
    is: 'believes a closed journal that is not on the disk',
    change: (design) =>
      going(
        design,
        'restore',
        'looks for a restore that was begun',
        'takes its answer',
        (w) => w.journal === 'done' && w.journalOf === 'this',
      ),
    kinds: ['kill', 'host crash'],
    scenario: 'restore',
    wrong: HALF,
  },
];
