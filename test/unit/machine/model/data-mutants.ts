/** Designs that are wrong in one place each of what they do to the node's data. */
import { withEffect, withRows, withoutEffect, type Design } from './design.ts';
import type { Effect, Flow } from './effect.ts';
import type { Mutant } from './mutants.ts';
import type { Working } from '../../../../src/machine/state.ts';
import type { World } from './world.ts';

export const HALF = /while its data is being restored|nothing holds the node|never finished/;
export const OPERATORS = /operator stopped was started/;

/** The step goes on elsewhere. */
export function going(design: Design, state: Working, say: string, place: string, when: (w: World) => boolean): Design {
  const to = design.program[state].findIndex((effect) => effect.say === place);
  if (to === -1) throw new Error(`${state} has no effect "${place}"`);
  return withEffect(design, state, say, (effect) => ({
    ...effect,
    act: (w, about): Flow => (when(w) ? { to } : effect.act(w, about)),
  }));
}

/** A refusal that goes on elsewhere. */
export function refusing(design: Design, state: Working, say: string, refused: NonNullable<Effect['refused']>): Design {
  return withEffect(design, state, say, (effect) => ({ ...effect, refused }));
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
    wrong: /by a journal that is not on the disk/,
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
    // Whoever ends a hold would go on with it.
    change: (design) => ({ ...withRows(design, { 'restore later': 'rollback-failed' }), held: [] }),
    kinds: ['room'],
    scenario: 'restore',
    wrong: HALF,
  },
];
