/** One command, measured: wall time, CPU time of it and all its descendants. And what to do with many measures. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface Cost {
  /** Milliseconds. */
  readonly wall: number;
  /** Milliseconds, user and system together. */
  readonly cpu: number;
}

// `times` says what the shell's children took, and theirs; the command's own output goes elsewhere.
const SCRIPT = '"$@" >&2 || exit; times';

/** Runs to its end; throws with what it said when it fails. */
export async function measure(command: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Cost> {
  const began = process.hrtime.bigint();
  const child = spawn('sh', ['-c', SCRIPT, 'sh', ...command], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [output, said, [status]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  const wall = Number(process.hrtime.bigint() - began) / 1e6;
  if (status !== 0) throw new Error(`${command.join(' ')}: status ${String(status)}\n${said}`);
  return { wall, cpu: childTimes(output) };
}

/** The second line of `times`: user and system time of the children, as `1m2.345s`. */
function childTimes(output: string): number {
  const fields = output.trim().split('\n').at(-1)?.split(' ') ?? [];
  return fields.reduce((sum, field) => {
    const [, minutes = '', seconds = ''] = /^(\d+)m([\d.]+)s$/.exec(field) ?? [];
    return sum + (Number(minutes) * 60 + Number(seconds)) * 1000;
  }, 0);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function medianCost(costs: readonly Cost[]): Cost {
  return { wall: median(costs.map(({ wall }) => wall)), cpu: median(costs.map(({ cpu }) => cpu)) };
}
