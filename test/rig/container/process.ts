/** Child processes for the rig: run a program to its end, start one, wait for a line of a running one. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { execa } from 'execa';

export interface Result {
  /** The exit status; 128 + signal when a signal ended it, as a shell would say. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Input = string | Uint8Array | Readable;

/** All of what it prints, as it stands; how it ended is the caller's to judge. */
const OPTIONS = { reject: false, stripFinalNewline: false, maxBuffer: Infinity } as const;

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGTERM: 15 };

export function start(command: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const [program = '', ...args] = command;
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
}

/** Runs a program to its end, whatever its status; rejects only when it cannot be started. */
export async function run(command: readonly string[], input?: Input): Promise<Result> {
  const [program = '', ...args] = command;
  // A program may end without reading its input: execa takes that for no failure.
  const ended = await execa(program, args, { ...OPTIONS, ...(input === undefined ? { stdin: 'ignore' } : { input }) });
  const { exitCode, signal, stdout, stderr } = ended;
  // It could not be started, or what it was to read could not be read.
  if (ended.failed && (exitCode ?? 0) === 0 && signal === undefined) throw ended as unknown as Error;
  return { status: exitCode ?? 128 + (SIGNALS[signal ?? ''] ?? 0), stdout, stderr };
}

/** The same, but throws when the status is not 0, and returns the standard output. */
export async function mustRun(command: readonly string[], input?: Input): Promise<string> {
  const result = await run(command, input);
  if (result.status !== 0) throw new Error(failure(command, result));
  return result.stdout;
}

export function failure(command: readonly string[], result: Result): string {
  return `\`${command.join(' ')}\` ended with ${result.status}:\n${result.stdout}${result.stderr}`;
}

/** The first line that matches, or undefined when the program closed its output before it printed one. */
export async function lineOf(stream: Readable | null, pattern: RegExp): Promise<string | undefined> {
  if (stream === null) return undefined;
  for await (const line of createInterface({ input: stream })) if (pattern.test(line)) return line;
  return undefined;
}

export function isUp(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

export async function ended(child: ChildProcess): Promise<void> {
  if (isUp(child)) await once(child, 'exit');
}
