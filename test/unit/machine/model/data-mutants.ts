/** Designs that are wrong in one place each of what they do to the node's data; the later ones were holes once. */
import { withEffect, withRows, withoutEffect, type Design } from './design.ts';
import { OK, type Effect, type Flow } from './effect.ts';
import type { Mutant } from './mutants.ts';
import { isDown } from './node.ts';
import type { Working } from '../../../../src/machine/state.ts';
import type { World } from './world.ts';

const HALF = /while its data is being restored|nothing holds the node|never finished/;
const OPERATORS = /operator stopped was started/;

/** The step goes on elsewhere. */
function going(design: Design, state: Working, say: string, place: string, when: (w: World) => boolean): Design {
  const to = design.program[state].findIndex((effect) => effect.say === place);
  if (to === -1) throw new Error(`${state} has no effect "${place}"`);
  return withEffect(design, state, say, (effect) => ({
    ...effect,
    act: (w, about): Flow => (when(w) ? { to } : effect.act(w, about)),
  }));
}

/** A refusal that goes on elsewhere. */
function refusing(design: Design, state: Working, say: string, refused: NonNullable<Effect['refused']>): Design {
  return withEffect(design, state, say, (effect) => ({ ...effect, refused }));
}

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

const ROOM = 'starts the backup room';

export const DATA_MUTANTS: readonly Mutant[] = [
  {
    is: 'does not compare the copy with the data',
    change: (design) => withoutEffect(design, 'backup', 'compares the copy with the data'),
    kinds: ['operator and node'],
    scenario: 'backed-up upgrade',
    wrong: /a backup that has its name is not whole/,
  },
  {
    is: 'gives a backup its name before it is flushed',
    change: (design) => withoutEffect(design, 'backup', 'flushes the copy'),
    kinds: ['host crash'],
    scenario: 'backup',
    wrong: /a backup that has its name is not whole/,
  },
  {
    is: 'does not flush the name of a backup',
    change: (design) => withoutEffect(design, 'backup', 'flushes the name'),
    kinds: [],
    scenario: 'backup',
    wrong: /names a backup that is not there/,
  },
  {
    is: 'moves the data on before it is backed up',
    change: (design) => withRows(design, { 'arm backup': 'activate' }),
    kinds: [],
    scenario: 'epoch',
    wrong: /no backup is recorded of/,
  },
  {
    is: 'makes a `fallback` where there is no way back',
    change: (design) =>
      withEffect(design, 'arm', 'reads the links', (read) => ({
        ...read,
        act: (w, about) =>
          read.act(w, {
            ...about,
            open: { ...about.open, transaction: { ...about.open.transaction, way: undefined as never } },
          }),
      })),
    kinds: ['kill'],
    scenario: 'epoch',
    wrong: /data that the candidate has moved on/,
  },
  {
    is: 'puts the version before back without its data',
    change: (design) => going(design, 'go-back', ROOM, 'makes a temporary link', () => true),
    kinds: ['node ends'],
    scenario: 'epoch',
    wrong: /data that the candidate has moved on/,
  },
  {
    is: 'restores without the file `restoring`',
    change: (design) =>
      withEffect(design, 'restore', 'makes the file `restoring`', (make) => ({
        ...make,
        act: (w, about) => {
          const flow = make.act(w, about);
          w.restoring = '';
          return flow;
        },
      })),
    kinds: ['operator and node'],
    scenario: 'restore',
    wrong: HALF,
  },
  {
    is: 'does not stop the node for a restore',
    change: (design) =>
      [
        'asks for a stop',
        'looks whether it is',
        'sees that somebody has started it',
        'names what it has stopped for a restore',
        'names what it has stopped for the room',
      ].reduce((changed, say) => withoutEffect(changed, 'restore', say), design),
    kinds: [],
    scenario: 'restore',
    wrong: HALF,
  },
  {
    is: 'closes the journal before the data is flushed',
    change: (design) => withoutEffect(design, 'restore', 'flushes the data'),
    kinds: ['host crash'],
    scenario: 'restore',
    wrong: HALF,
  },
  {
    is: 'lets the node go when the room dies between the renames',
    change: (design) => {
      const to = design.program.restore.findIndex(({ say }) => say === 'removes the file `restoring`');
      return refusing(design, 'restore', 'moves the backup in', (w) => ((w.then = 'start'), (w.room = false), { to }));
    },
    kinds: ['room'],
    scenario: 'restore',
    wrong: HALF,
  },
  {
    is: 'commits a restore that it was refused',
    change: (design) => withRows(design, { 'restore refused': 'soak' }),
    kinds: ['disk'],
    scenario: 'restore',
    wrong: /a backup was put back, and it was not/,
  },
  {
    is: 'leaves a restore for good that a later run should go on with',
    change: (design) => withRows(design, { 'restore later': 'rollback-failed' }),
    kinds: ['room'],
    scenario: 'restore',
    wrong: HALF,
  },
];

/** Holes that the model found once, about data. */
export const DATA_REOPENED: readonly Mutant[] = [
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
