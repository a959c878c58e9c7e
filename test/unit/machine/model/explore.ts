/** Breadth first through every world that can be reached, so that the first trace to a wrong one is the shortest. */
import { makeBook } from './book.ts';
import { REAL, type Design } from './design.ts';
import { KINDS, happenings, type Kind } from './environment.ts';
import { hostMoves } from './host.ts';
import { atRest, isTidy, wrongAtRest, wrongInTheEnd, wrongNow, wrongStep } from './invariants.ts';
import type { DataPlan, Model } from './transaction.ts';
import { firstWorld, keyOf, type Scenario, type World } from './world.ts';

export interface Exploration {
  readonly scenario?: Scenario;
  /** How many things may happen to the host besides what it does itself. */
  readonly events: number;
  readonly kinds?: readonly Kind[];
  readonly design?: Design;
  readonly sulky?: boolean;
  readonly slow?: boolean;
  readonly collectable?: boolean;
  /** What to stop at when it is found; absent: everything is looked at. */
  readonly stopAt?: string;
}

export interface Wrongdoing {
  readonly what: string;
  /** Every step from the beginning; what happened to the host begins with `!`. */
  readonly trace: readonly string[];
}

export interface Explored {
  readonly states: number;
  readonly moves: number;
  readonly depth: number;
  /** The shortest trace to each kind of wrong world. */
  readonly wrong: ReadonlyMap<string, Wrongdoing>;
  /** How often each kind was met. */
  readonly times: ReadonlyMap<string, number>;
  readonly outcomes: ReadonlyMap<string, number>;
}

/** A run of the timer or of a person settles what is left; the second one must find nothing to do. */
const TICKS = 2;

const NO_DATA: DataPlan = { backups: 'none', back: 'restore-data' };
const DATA_PLANS: Readonly<Partial<Record<Scenario, DataPlan>>> = {
  'backed-up upgrade': { backups: 'first', back: 'restore-data' },
  epoch: { backups: 'first', back: 'restore-data' },
  'epoch without backup': { backups: 'none', back: 'never' },
};

export function explore(asked: Exploration): Explored {
  const {
    scenario = 'upgrade',
    events,
    kinds = KINDS,
    design = REAL,
    sulky = false,
    slow = false,
    collectable = false,
  } = asked;
  const book = makeBook();
  const data = DATA_PLANS[scenario] ?? NO_DATA;
  const model: Model = { design, book, sulky, slow, collectable, data };
  const first = firstWorld(scenario, events, book);
  const search = makeSearch(first);
  let depth = 0;
  for (let level = search.take(); level.length > 0; level = search.take()) {
    depth += 1;
    for (const { index, world } of level) {
      expand(index, world, model, first, kinds, search);
      if (asked.stopAt !== undefined && search.wrong.has(asked.stopAt)) return search.result(depth);
    }
  }
  search.endless();
  return search.result(depth);
}

function expand(index: number, w: World, model: Model, first: World, kinds: readonly Kind[], search: Search): void {
  const own = hostMoves(w, model);
  for (const [say, after] of own) search.reach(index, say, after, 'own', wrongStep(w, after) ?? wrongNow(after, model));
  for (const [say, after] of happenings(w, model, first, kinds)) {
    search.reach(index, say, after, 'event', wrongStep(w, after) ?? wrongNow(after, model));
  }
  if (own.length > 0) return;
  const wrong = atRest(w) ? wrongAtRest(w, model) : 'the host waits for something that never comes';
  if (wrong !== undefined) search.found(index, wrong);
  else if (w.ticks < TICKS && !(isTidy(w, model) && w.ticks > 0))
    search.reach(index, 'the next run', { ...w, tx: 'queued', ticks: w.ticks + 1 }, 'own', undefined);
  else end(index, w, model, search);
}

function end(index: number, w: World, model: Model, search: Search): void {
  const wrong = wrongInTheEnd(w, model);
  if (wrong === undefined) search.ends(model.book.page(w.ledger).lastEnded?.outcome ?? 'none');
  else search.found(index, wrong);
}

interface Found {
  readonly index: number;
  readonly world: World;
}

interface Search {
  readonly wrong: ReadonlyMap<string, Wrongdoing>;
  reach(from: number, say: string, world: World, by: 'own' | 'event', wrong: string | undefined): void;
  found(index: number, what: string): void;
  ends(outcome: string): void;
  /** What was reached and not looked at yet. */
  take(): readonly Found[];
  /** Looks for a way on which the host never comes to rest by itself. */
  endless(): void;
  result(depth: number): Explored;
}

function makeSearch(first: World): Search {
  const indexes = new Map<string, number>([[keyOf(first), 0]]);
  const parents: number[] = [-1];
  const says: number[] = [-1];
  const words = makeWords();
  const edges: number[] = [];
  const wrong = new Map<string, Wrongdoing>();
  const times = new Map<string, number>();
  const outcomes = new Map<string, number>();
  let waiting: Found[] = [{ index: 0, world: first }];
  let moves = 0;

  const found = (index: number, what: string): void => {
    times.set(what, (times.get(what) ?? 0) + 1);
    if (!wrong.has(what)) wrong.set(what, { what, trace: traceTo(index, parents, says).map(words.text) });
  };
  return {
    wrong,
    found,
    reach(from, say, world, by, what) {
      moves += 1;
      const key = keyOf(world);
      let index = indexes.get(key);
      const known = index !== undefined;
      if (index === undefined) {
        index = indexes.size;
        indexes.set(key, index);
        parents.push(from);
        says.push(words.number(say));
      }
      if (what !== undefined) {
        found(index, what);
        return;
      }
      if (by === 'own') edges.push(from, index);
      if (!known) waiting.push({ index, world });
    },
    ends: (outcome) => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1),
    take() {
      const level = waiting;
      waiting = [];
      return level;
    },
    endless() {
      const index = circling(indexes.size, edges);
      if (index !== undefined) found(index, 'the host never comes to rest');
    },
    result: (depth) => ({ states: indexes.size, moves, depth, wrong, times, outcomes }),
  };
}

/** A state on a circle of the host's own moves: what is left once every state is taken away that leads to none. */
function circling(size: number, edges: readonly number[]): number | undefined {
  const out = new Int32Array(size);
  const heads = new Int32Array(size).fill(-1);
  const nexts = new Int32Array(edges.length / 2);
  for (let edge = 0; edge < nexts.length; edge++) {
    const [from = 0, to = 0] = [edges[2 * edge], edges[2 * edge + 1]];
    out[from] = (out[from] ?? 0) + 1;
    nexts[edge] = heads[to] ?? -1;
    heads[to] = edge;
  }
  const rest: number[] = [];
  for (let index = 0; index < size; index++) if (out[index] === 0) rest.push(index);
  for (let index = rest.pop(); index !== undefined; index = rest.pop()) {
    for (let edge = heads[index] ?? -1; edge !== -1; edge = nexts[edge] ?? -1) {
      const from = edges[2 * edge] ?? 0;
      out[from] = (out[from] ?? 0) - 1;
      if (out[from] === 0) rest.push(from);
    }
  }
  const circle = out.findIndex((count) => count > 0);
  return circle === -1 ? undefined : circle;
}

function traceTo(index: number, parents: readonly number[], says: readonly number[]): number[] {
  const trace: number[] = [];
  for (let at = index; at > 0; at = parents[at] ?? -1) trace.push(says[at] ?? -1);
  return trace.reverse();
}

function makeWords(): { number: (text: string) => number; text: (number: number) => string } {
  const numbers = new Map<string, number>();
  const texts: string[] = [];
  return {
    number(text) {
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, texts.length);
      return texts.push(text) - 1;
    },
    text: (number) => texts[number] ?? '',
  };
}
