import { spawn } from 'node:child_process';
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
  const [program, ...args] = command;
  if (program === undefined) throw cannotStart('', new Error('empty command'));
  const child = spawn(program, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(options.descriptors ?? [])],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
  });
  const limit = options.outputLimit ?? DEFAULT_OUTPUT_LIMIT;
  const stdout = collect(child.stdout as Readable, limit);
  const stderr = collect(child.stderr as Readable, limit);
  const inputError = feed(child.stdin, options);
  let timedOut = false;
  // A grandchild may hold the pipes open after the child is gone: closing our ends is what lets `close` come.
  const stop = (): void => {
    timedOut = true;
    child.kill('SIGKILL');
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const timer = options.timeout === undefined ? undefined : setTimeout(stop, options.timeout);
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    const failed = inputError();
    if (failed !== undefined) throw failed;
    return {
      status: status ?? undefined,
      signal: signal ?? undefined,
      timedOut,
      stdout: stdout(),
      stderr: stderr(),
    } satisfies RunResult;
  } catch (error) {
    throw cannotStart(program, error);
  } finally {
    clearTimeout(timer);
  }
};

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

function cannotStart(program: string, cause: unknown): UpdaterError {
  const missing = errnoOf(cause) === 'ENOENT';
  return new UpdaterError('HOST_TOOL', `${program} ${missing ? 'was not found' : 'could not be run'}`, {
    remedy: `Install the package that ships ${program}, or repair it (\`node-updater doctor\` checks every tool).`,
    cause,
  });
}
