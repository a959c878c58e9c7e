/** Designs that are wrong in one place each: what the checker is for, it must find in them. */
import { withEffect, withPart, withRows, withoutEffect, type Design } from './design.ts';
import { OK, type Effect, type Program } from './effect.ts';
import type { Kind } from './environment.ts';
import { orderRestart } from './node.ts';
import type { Scenario } from './world.ts';

export interface Mutant {
  readonly is: string;
  /** Of the design as it is. */
  readonly change: (design: Design) => Design;
  /** The least that has to happen to the host for it to show. */
  readonly kinds: readonly Kind[];
  readonly scenario?: Scenario;
  /** Whether the daemon answers its stop with an error. */
  readonly daemon?: { readonly sulky: true };
  /** What the checker says of it. */
  readonly wrong: RegExp;
}

const OPEN = 'removes the mark `open`';
const DEAD = /runs, and current is|nothing leads back/;

export const MUTANTS: readonly Mutant[] = [
  {
    is: 'commits before the soak',
    change: (design) => withRows(design, { 'start ok': 'commit' }),
    kinds: [],
    wrong: /had not held through the soak/,
  },
  {
    is: 'unlinks `fallback` before the last look',
    change: (design) => withSteps(design, { commit: lookingLast(design.program.commit) }),
    kinds: ['node ends'],
    wrong: /had ended by itself before the last look/,
  },
  {
    is: 'takes no last look',
    change: (design) => withoutEffect(design, 'commit', 'takes the last look'),
    kinds: ['node ends'],
    wrong: /had ended by itself before the last look/,
  },
  {
    is: 'arms after it has activated',
    change: (design) => withRows(design, { 'preflight ok': 'activate', 'activate ok': 'arm', 'arm ok': 'start' }),
    kinds: [],
    wrong: /nothing leads back/,
  },
  {
    is: 'does not flush the link `fallback`',
    change: (design) => withoutEffect(design, 'arm', 'flushes /opt/demo'),
    kinds: [],
    wrong: /nothing leads back/,
  },
  {
    is: 'puts back without stopping the transaction first',
    change: (design) => withPart(design, 'ends the transaction', (part) => ({ ...part, act: () => 'line' })),
    kinds: ['operator and revert@'],
    wrong: DEAD,
  },
  {
    is: 'marks the node as down by our doing and does not say which invocation',
    change: (design) =>
      withPart(withEffect(design, 'start', 'notes the clock', marking), 'looks whether `down` still holds', (part) => ({
        ...part,
        act: () => 'part',
      })),
    kinds: ['operator and node', 'kill'],
    wrong: /operator stopped was started/,
  },
  {
    is: 'restarts whatever it finds when it puts back',
    change: (design) =>
      withPart(design, 'looks for `down` and `restart`', (part) => ({
        ...part,
        act: (w) => {
          orderRestart(w, 'us');
          return 'line';
        },
      })),
    kinds: ['operator and node'],
    wrong: /operator stopped was started/,
  },
  {
    is: 'does not restart the node when it has put the link back',
    change: (design) => withPart(design, 'looks for `down` and `restart`', (part) => ({ ...part, act: () => 'line' })),
    kinds: ['kill'],
    wrong: DEAD,
  },
  {
    is: 'has no dead man',
    change: (design) => ({ ...design, deadMan: 'missing' }),
    kinds: ['kill'],
    wrong: /`fallback` is still there/,
  },
  {
    is: 'does nothing at boot',
    change: (design) => ({ ...design, bootKeepsOff: () => true }),
    kinds: ['host crash'],
    wrong: /`fallback` is still there/,
  },
  {
    is: 'sets no probation',
    change: (design) =>
      withEffect(withoutEffect(design, 'arm', 'reloads systemd'), 'arm', 'reads what systemd has loaded', (read) => ({
        ...read,
        act: () => OK,
      })),
    kinds: ['node ends'],
    wrong: /nobody stopped the node|left down/,
  },
  {
    is: 'unpacks what it has not verified',
    change: (design) => withRows(design, { 'fetch ok': 'stage' }),
    kinds: ['source'],
    wrong: /a version that is bad/,
  },
  {
    is: 'does not flush what it has unpacked',
    change: (design) => withoutEffect(design, 'stage', 'flushes what it unpacked'),
    kinds: ['host crash'],
    wrong: /a version that is torn/,
  },
  {
    is: 'leaves the mark `open` behind',
    change: (design) =>
      withPart({ ...withoutEffect(design, 'clean', OPEN), sweep: () => undefined }, OPEN, (part) => ({
        ...part,
        act: () => 'line',
      })),
    kinds: [],
    wrong: /never comes to rest/,
  },
  {
    is: 'settles by yielding again',
    change: (design) => withRows(design, { 'settle put-back': 'yield' }),
    kinds: ['kill'],
    wrong: /never comes to rest|stays open/,
  },
  {
    is: 'settles while `fallback` is still there',
    change: (design) =>
      withEffect(design, 'settle', 'reads the links and the ledger', (read) => ({
        ...read,
        act: (w, about) => read.act({ ...w, fallback: '' }, about),
      })),
    kinds: ['host crash', 'timer'],
    wrong: /the ledger says committed/,
  },
  {
    is: 'believes its ledger more than the links',
    change: (design) =>
      withEffect(design, 'settle', 'reads the links and the ledger', (read) => ({
        ...read,
        act: (w, about) => (about.open.visited.has('commit') ? { answer: 'committed' } : read.act(w, about)),
      })),
    kinds: ['kill'],
    wrong: /the ledger says committed/,
  },
  {
    is: 'quarantines nothing',
    change: (design) => ({
      ...design,
      writes: (entry) => {
        if (entry.kind !== 'ended') return entry;
        const { quarantine, ...rest } = entry;
        return quarantine === undefined ? entry : rest;
      },
    }),
    kinds: ['node ends'],
    wrong: /would come again/,
  },
];

function withSteps(design: Design, steps: Partial<Program>): Design {
  return { ...design, program: { ...design.program, ...steps } };
}

/** The commit with its look behind everything else. */
function lookingLast([look, ...rest]: readonly Effect[]): readonly Effect[] {
  const done: Effect = { say: 'is done', act: () => OK };
  const flush: Effect[] = rest
    .slice(-1)
    .map((effect) => ({ ...effect, act: (w, about) => (effect.act(w, about), 'next') }));
  return [...rest.slice(0, -1), ...flush, ...(look === undefined ? [] : [look]), done];
}

/** A mark that the node is down by our doing. */
export function marking(effect: Effect): Effect {
  return { ...effect, act: (w, about) => effect.act(Object.assign(w, { down: 'same' }), about) };
}
