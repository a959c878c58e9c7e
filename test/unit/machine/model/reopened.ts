/** Holes that the model found once and that are closed now: each opened again, the checker must find it again. */
import { withEffect, withPart, withoutEffect } from './design.ts';
import { failed, verdict } from './effect.ts';
import { marking, type Mutant } from './mutants.ts';
import { NOTED, isDown, orderRestart } from './node.ts';

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
  {
    is: 'does not flush what starts a first installation at boot',
    change: (design) => withoutEffect(design, 'commit', 'flushes what starts it at boot'),
    scenario: 'install',
    kinds: ['host crash'],
    wrong: /left down/,
  },
  {
    is: 'starts in revert@ what was up when it looked, and down since',
    change: (design) =>
      withPart(design, 'asks for a restart of the node', (ask) => ({
        ...ask,
        act: (w) => {
          orderRestart(w, 'us');
          return 'line';
        },
      })),
    kinds: ['kill', 'operator and node'],
    wrong: /operator stopped was started/,
  },
  {
    is: 'leaves alone in revert@ what was down when it looked, and up since',
    change: (design) =>
      withPart(design, 'looks whether `current` was switched', (look) => ({
        ...look,
        act: (w) => (isDown(w) ? 'line' : look.act(w)),
      })),
    kinds: ['kill', 'operator and node', 'operator and node'],
    wrong: /new runs, and current is old/,
  },
  {
    is: 'ends the probation before it asks for the restart',
    change: (design) => ({
      ...design,
      revert: [0, 1, 2, 3, 6, 7, 4, 5, 8].flatMap((line) => design.revert.slice(line, line + 1)),
    }),
    kinds: ['kill', 'node ends'],
    wrong: /nobody stopped the node|left down/,
  },
  {
    is: 'takes a node that is between the halves of a restart for one that is stopped',
    change: (design) =>
      withEffect(design, 'gate-old', 'looks at the node', (look) => ({
        ...look,
        act: (w, about) => {
          const flow = look.act(w, about);
          if (isDown(w)) w.seen = 'down';
          return flow;
        },
      })),
    kinds: ['host crash', 'operator and node'],
    wrong: /nobody stopped the node/,
  },
  {
    is: 'stops a node that it withdraws only before it takes its program away',
    change: ({ program, ...design }) => ({
      ...design,
      program: {
        ...program,
        withdraw: program.withdraw.map((effect, at) =>
          at === 5 || at === 6 ? { say: 'does not stop it again', act: () => 'next' } : effect,
        ),
      },
    }),
    scenario: 'install',
    kinds: ['host crash', 'operator and node'],
    wrong: /new runs, and current is nothing/,
  },
  {
    is: 'leaves what it could not remove of a probation that is over',
    change: (design) => ({ ...design, sweep: () => undefined }),
    kinds: ['kill', 'kill revert@'],
    wrong: /left over: the drop-in/,
  },
  {
    is: 'counts exits of the version before against the candidate when its operator stops the node',
    change: (design) =>
      withEffect(design, 'start', 'judges the start', (judge) => ({
        ...judge,
        act: (w, about) => {
          const judged = verdict(w, NOTED);
          return judged.kind === 'failed' && w.wait === 'done' ? failed(judged.code) : judge.act(w, about);
        },
      })),
    kinds: ['node ends', 'operator and node'],
    wrong: BLAMED,
  },
  {
    is: 'marks a node that runs as down by our doing',
    change: (design) => withEffect(design, 'start', 'notes the clock', marking),
    kinds: ['operator and node', 'kill'],
    wrong: /operator stopped was started/,
  },
  {
    is: 'takes what an earlier run has staged as it finds it',
    change: (design) => withoutEffect(design, 'arm', 'flushes versions/'),
    scenario: 'half-staged',
    kinds: ['host crash'],
    wrong: /a version that is not there/,
  },
  {
    is: 'goes on in revert@ when the transaction could not be stopped',
    change: (design) => ({
      ...design,
      revert: design.revert.map((line, at) => (at === 0 ? { ...line, text: `-${line.text}` } : line)),
    }),
    kinds: ['operator and revert@', 'kill revert@'],
    wrong: /nothing leads back/,
  },
  {
    is: 'lets boot@ act whenever no run is alive',
    change: (design) => ({ ...design, bootKeepsOff: (w) => w.tx === 'running' }),
    kinds: ['kill', 'operator and node'],
    wrong: /new runs, and current is old/,
  },
];
