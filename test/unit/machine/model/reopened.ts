/** Holes that the model found once and that are closed now: each opened again, the checker must find it again. */
import { withEffect } from './design.ts';
import { failed, verdict } from './effect.ts';
import type { Mutant } from './mutants.ts';
import { NOTED } from './node.ts';

const BLAMED = /in quarantine with no evidence/;

export const REOPENED: readonly Mutant[] = [
  {
    is: 'takes a node that is on its way for one that has exited, in its last look',
    change: (design) =>
      withEffect(design, 'commit', 'takes the last look', (look) => ({
        ...look,
        act: (w, about) => (verdict(w, NOTED).kind === 'waiting' ? failed('GATE_EXITED') : look.act(w, about)),
      })),
    kinds: ['operator and node'],
    wrong: BLAMED,
  },
  {
    is: 'takes a first installation for committed that it has not enabled',
    change: (design) =>
      withEffect(design, 'settle', 'reads the links and the ledger', (read) => ({
        ...read,
        act: (w, about) => {
          const { transaction, visited } = about.open;
          const seen = transaction.from === undefined && w.current !== '' && !w.open && visited.has('commit');
          return seen ? { answer: 'committed' } : read.act(w, about);
        },
      })),
    scenario: 'install',
    kinds: ['host crash'],
    wrong: /left down/,
  },
];
