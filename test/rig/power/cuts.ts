/**
 * Where the power is cut. A disk keeps what was written before a flush that it has answered; of what was written since, its
 * cache may have put down any part, in any order. So a state of the disk after a power cut is: everything up to a
 * flush, and any of the writes between that flush and the next. The last of those may be torn between two atoms.
 */
import { SECTOR, type Entry, type Write } from './block-log.ts';

export interface Cut {
  /** So many entries of the log are on the disk for good: none, or the last of them is a flush. */
  readonly durable: number;
  /** Of the writes after them, what is on the disk all the same. */
  readonly kept: readonly Write[];
  /** How many writes there are between that flush and the next. */
  readonly of: number;
}

/** A number from 0 up to, not including, 1. */
export type Draw = () => number;

/**
 * About `wanted` cuts after the first `start` entries, in the order of the log. At each flush that is chosen (at all of
 * them, if there are fewer than half of what is wanted) one cut that loses all that was not flushed, and random ones.
 */
export function planCuts(entries: readonly Entry[], start: number, wanted: number, atom: number, draw: Draw): Cut[] {
  const groups = groupsOf(entries, start);
  const chosen = spread(groups, Math.ceil(wanted / 2), draw);
  const open = chosen.filter(({ writes }) => writes.length > 0).length;
  const each = Math.max(1, Math.ceil((wanted - chosen.length) / Math.max(1, open)));
  return chosen.flatMap(({ durable, writes }) => {
    const cut = (kept: readonly Write[]): Cut => ({ durable, kept, of: writes.length });
    const some = writes.length === 0 ? [] : Array.from({ length: each }, () => cut(someOf(writes, atom, draw)));
    return [cut([]), ...some];
  });
}

/** One cut at random between the flush that ends the first `durable` entries and the next. */
export function cutAt(entries: readonly Entry[], durable: number, atom: number, draw: Draw): Cut {
  const writes = groupsOf(entries, durable)[0]?.writes ?? [];
  return { durable, kept: writes.length === 0 ? [] : someOf(writes, atom, draw), of: writes.length };
}

interface Group {
  readonly durable: number;
  readonly writes: readonly Write[];
}

function groupsOf(entries: readonly Entry[], start: number): Group[] {
  const groups: Group[] = [];
  let durable = start;
  let writes: Write[] = [];
  for (let at = start; at < entries.length; at++) {
    const entry = entries[at];
    if (entry?.kind === 'write') writes.push(entry);
    else {
      groups.push({ durable, writes });
      durable = at + 1;
      writes = [];
    }
  }
  return [...groups, { durable, writes }];
}

/** One at random out of each of `count` equal parts. */
function spread<T>(from: readonly T[], count: number, draw: Draw): readonly T[] {
  if (from.length <= count) return from;
  const part = from.length / count;
  return Array.from({ length: count }, (_, n) => from[Math.floor((n + draw()) * part)] as T);
}

function someOf(writes: readonly Write[], atom: number, draw: Draw): readonly Write[] {
  const pick = (): number => Math.floor(draw() * writes.length);
  const kind = draw();
  const missing = pick();
  const upTo = pick();
  const kept = writes.filter((_, at) => {
    if (kind < 0.3) return at <= upTo;
    return kind < 0.5 ? at !== missing : draw() < 0.5;
  });
  const some = kept.length === 0 ? [writes[upTo] as Write] : kept;
  return draw() < Math.max(0.3, 1 / writes.length) ? torn(some, atom, draw) : some;
}

/** One of them only in part, from one end. */
function torn(writes: readonly Write[], atom: number, draw: Draw): readonly Write[] {
  const at = Math.floor(draw() * writes.length);
  const write = writes[at] as Write;
  const atoms = Math.floor(write.data.length / atom);
  if (atoms < 2) return writes;
  const split = (1 + Math.floor(draw() * (atoms - 1))) * atom;
  const part =
    draw() < 0.5
      ? { ...write, data: write.data.subarray(0, split) }
      : { ...write, sector: write.sector + split / SECTOR, data: write.data.subarray(split) };
  return writes.with(at, part);
}

/** The same numbers for the same seed, so that a run can be repeated. */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
