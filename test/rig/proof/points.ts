/** The system calls of a transaction that change something, read from what strace wrote of a run without a fault. Pure. */

/** The calls that change the disk or tell somebody something; what else a run does can be done again. */
export const CALLS = [
  'openat',
  'write',
  'pwrite64',
  'fsync',
  'fdatasync',
  'rename',
  'symlink',
  'link',
  'unlink',
  'rmdir',
  'mkdir',
  'ftruncate',
  'chmod',
  'fchmod',
] as const;
export type Call = (typeof CALLS)[number];

export type Thread = 'main' | 'pool';

/** Where a run can be struck: the nth call of this name of a thread, among those that name `path` if there is one. */
export interface Point {
  readonly thread: Thread;
  readonly call: Call;
  /** With names for what differs between runs (`Names`). Undefined for the bus and the log. */
  readonly path: string | undefined;
  readonly nth: number;
  /** An open(2) for reading alone is no change, but it can fail. */
  readonly effect: 'changes' | 'reads';
  /** The state of the transaction whose intent was recorded last. */
  readonly state: string;
}

/** What differs between two runs of one kind, and what it is called in the path of a point. */
export interface Names {
  /** What the random names of a run begin with (attach.mjs). */
  readonly RUN: string;
  /** The versions; '' where there is none. */
  readonly FROM: string;
  readonly TO: string;
}

const NAMES = ['RUN', 'FROM', 'TO'] as const;

/** The path of a point as it is in the run of these names. */
export function withNames(path: string, names: Names): string {
  return NAMES.reduce((text, name) => text.replaceAll(name, names[name]), path);
}

function withoutNames(text: string, names: Names): string {
  return NAMES.reduce((left, name) => (names[name] === '' ? left : left.replaceAll(names[name], name)), text);
}

interface Line {
  readonly thread: Thread;
  readonly at: number;
  readonly call: Call;
  readonly text: string;
  readonly path: string | undefined;
}

/** The points of a run in the order of time. */
export function pointsOf(traces: Readonly<Record<Thread, string>>, names: Names): Point[] {
  const lines = (['main', 'pool'] as const)
    .flatMap((thread) => parse(withoutNames(traces[thread], names), thread))
    .sort((a, b) => a.at - b.at);
  const seen = new Map<string, number>();
  const count = (key: string): number => {
    const n = (seen.get(key) ?? 0) + 1;
    seen.set(key, n);
    return n;
  };
  let state = 'before it opened';
  const points: Point[] = [];
  for (const { thread, call, text, path } of lines) {
    // strace counts the calls that name the path, or all of them when it is given none.
    const all = count(`${thread} ${call}`);
    const ofPath = path === undefined ? all : count(`${thread} ${call} ${path}`);
    const effect = effectOf(call, text);
    if (effect !== 'none') points.push({ thread, call, path, nth: ofPath, effect, state });
    state = intentIn(text) ?? state;
  }
  return points;
}

/** At most `count` of them, spread over all. */
export function spread<T>(from: readonly T[], count: number): T[] {
  if (from.length <= count) return [...from];
  // The middle of each part: the first and the last are no better than others.
  return Array.from({ length: count }, (_, i) => from[Math.floor(((i + 0.5) * from.length) / count)] as T);
}

export function describePoint({ thread, call, path, nth, state }: Point): string {
  return `${call} ${path ?? (thread === 'main' ? 'to the bus or the log' : '')} (${nth}, ${thread}) in ${state}`;
}

function parse(trace: string, thread: Thread): Line[] {
  return trace.split('\n').flatMap((line) => {
    const [, at, call = '', text = ''] = /^(\d+\.\d+) (\w+)\((.*)$/.exec(line) ?? [];
    if (at === undefined || !isCall(call)) return [];
    return [{ thread, at: Number(at), call, text, path: pathIn(call, text) }];
  });
}

function isCall(name: string): name is Call {
  return (CALLS as readonly string[]).includes(name);
}

/** Those that are given a descriptor. What is written may hold paths too. */
const BY_DESCRIPTOR = new Set<Call>(['write', 'pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'fchmod']);

/** By which a call can be aimed at with `strace -P`: the file of the descriptor, the name of a link, else the first name. */
function pathIn(call: Call, text: string): string | undefined {
  if (call === 'symlink') return /", "([^"]*)"/.exec(text)?.[1];
  return (BY_DESCRIPTOR.has(call) ? /^\d+<(\/[^>]*)>/ : /"([^"]*)"/).exec(text)?.[1];
}

function effectOf(call: Call, text: string): Point['effect'] | 'none' {
  if (/ = -1 /.test(text) || text.includes('"/srv/proof') || text.includes('"/dev/')) return 'none';
  if (call === 'openat') {
    if (/O_CREAT|O_WRONLY|O_RDWR/.test(text)) return 'changes';
    return /"\/(opt|var|run|etc)\//.test(text) ? 'reads' : 'none';
  }
  // Only the threads of one process talk through these.
  return call === 'write' && /^\d+<(anon_inode|pipe):/.test(text) ? 'none' : 'changes';
}

function intentIn(text: string): string | undefined {
  return /\\"kind\\":\\"intent\\".*?\\"state\\":\\"([a-z-]+)\\"/.exec(text)?.[1];
}
