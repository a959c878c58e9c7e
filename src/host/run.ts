import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { Run, RunOptions, RunResult } from './ports.ts';

const DEFAULT_OUTPUT_LIMIT = 1024 * 1024;

/**
 * The `Run` port. No shell ever sees the command. Output beyond the limit is read and dropped, so that a chatty program
 * neither blocks nor fills memory. A program that cannot be started at all is HOST_TOOL; how a started one ended is the
 * caller's to judge.
 */
export const run: Run = async (command, options = {}) => {
  try {
    return await start(command, options);
  } catch (error) {
    throw cannotRun(command[0] ?? '', error);
  }
};

async function start(command: readonly string[], options: RunOptions): Promise<RunResult> {
  const [program, ...args] = command;
  if (program === undefined) throw new Error('the command is empty');
  const child = spawn(program, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(options.descriptors ?? [])],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
  });
  const limit = options.outputLimit ?? DEFAULT_OUTPUT_LIMIT;
  const stdout = collect(child.stdout as Readable, limit);
  const stderr = collect(child.stderr as Readable, limit);
  const inputError = feed(child.stdin, options);
  const timer = limitTime(child, options.timeout);
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    const failed = inputError();
    if (failed !== undefined) throw failed;
    const ended = { status: status ?? undefined, signal: signal ?? undefined, timedOut: timer.timedOut() };
    return { ...ended, stdout: stdout(), stderr: stderr() };
  } finally {
    timer.clear();
  }
}

interface Timer {
  timedOut(): boolean;
  clear(): void;
}

function limitTime(child: ChildProcess, timeout: number | undefined): Timer {
  let timedOut = false;
  const stop = (): void => {
    timedOut = true;
    child.kill('SIGKILL');
    // A grandchild may hold the pipes open after the child is gone: closing our ends is what lets `close` come.
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const timer = timeout === undefined ? undefined : setTimeout(stop, timeout);
  return {
    timedOut: () => timedOut,
    clear: () => {
      clearTimeout(timer);
    },
  };
}

function collect(stream: Readable, limit: number): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, limit - size);
    if (kept.length > 0) chunks.push(kept);
    size += kept.length;
  });
  return () => Buffer.concat(chunks);
}

/** A program may end without reading all its input; that is its right, and its exit status tells the rest. */
function feed(stdin: Writable | null, options: RunOptions): () => Error | undefined {
  let failed: Error | undefined;
  stdin?.on('error', (error) => {
    const code = errnoOf(error);
    if (code !== 'EPIPE' && code !== 'ECONNRESET') failed = error;
  });
  stdin?.end(options.input);
  return () => failed;
}

function cannotRun(program: string, cause: unknown): UpdaterError {
  const missing = errnoOf(cause) === 'ENOENT';
  return new UpdaterError('HOST_TOOL', `${program} ${missing ? 'was not found' : 'could not be run'}`, {
    remedy: `Install the package that ships ${program}, or repair it: apt install --reinstall PACKAGE.`,
    cause,
  });
}
