/**
 * Decompression by the xz program: Node's zlib has no xz.
 *
 * Threat: the archive is signed and hostile, and made to make the program use memory, time or disk without end, or to find
 * a fault in it. So it gets the open file and a pipe and nothing else: no path, no arguments from outside, no
 * environment; more memory than xz -9 needs is refused; what it writes is cut off where the signed counts end, since it waits for
 * the pipe; silence ends it; and it never outlives the reading. It runs in the sandbox of the transaction.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { errnoOf, UpdaterError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { malformed, unsupported } from './refusal.ts';

const ARGUMENTS = [
  ...['--decompress', '--stdout', '--format=xz', '--threads=1', '--no-sparse'],
  `--memlimit-decompress=${LIMITS.xzMemory}`,
];
/** XZ_OPT and XZ_DEFAULTS would overrule the arguments. */
const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };
const WORDS_MAX = 4096;

export interface XzProgram {
  readonly program: string;
  /** Milliseconds after which a program that writes nothing is ended. */
  readonly silence: number;
}

const XZ: XzProgram = { program: 'xz', silence: LIMITS.xzSilence };

/**
 * What the xz stream in `file` decompresses to, read from the file's start. Rejects with ARTIFACT_MALFORMED, _UNSUPPORTED
 * when it needs too much memory, HOST_TOOL when the program is missing, is killed or hangs: that says nothing of the archive.
 */
export async function* xzPieces(file: FileHandle, { program, silence } = XZ): AsyncGenerator<Buffer, void, undefined> {
  const child = spawn(program, ARGUMENTS, { env: ENVIRONMENT, stdio: [file.fd, 'pipe', 'pipe'] });
  const ended = endOf(child);
  try {
    yield* speaking(child, child.stdout as Readable, silence);
    judge(await ended);
  } finally {
    child.kill('SIGKILL');
    child.stderr?.destroy();
    await ended;
  }
}

async function* speaking(child: ChildProcess, output: Readable, silence: number): AsyncGenerator<Buffer> {
  const pieces = output[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const heard = { silence: false };
  try {
    for (;;) {
      // Only while it is waited for: whoever uses the pieces may take long.
      const timer = setTimeout(() => {
        heard.silence = true;
        child.kill('SIGKILL');
        output.destroy(); // something that it left behind may hold the pipe
      }, silence);
      const [next] = await Promise.allSettled([pieces.next()]);
      clearTimeout(timer);
      if (heard.silence) throw brokenTool(`xz wrote nothing for ${silence / 1000} s and was killed`);
      if (next.status === 'rejected') throw next.reason;
      if (next.value.done === true) return;
      yield next.value.value;
    }
  } finally {
    output.destroy();
  }
}

interface End {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly words: string;
}

async function endOf(child: ChildProcess): Promise<End | UpdaterError> {
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString('latin1')).slice(0, WORDS_MAX);
  });
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return { status, signal, words };
  } catch (cause) {
    return brokenTool(errnoOf(cause) === 'ENOENT' ? 'xz was not found' : 'xz could not be run', cause);
  }
}

/** Any word of warning refuses: xz ends with 2 then, as for an integrity check that it cannot verify. */
function judge(end: End | UpdaterError): void {
  if (end instanceof UpdaterError) throw end;
  const { status, signal, words } = end;
  if (status === 0) return;
  const cause = new Error(words.trim());
  if (signal !== null) throw brokenTool(`xz was ended by ${signal}`, cause);
  if (/Memory usage limit/.test(words)) {
    throw unsupported(`xz needs more than ${LIMITS.xzMemory / 2 ** 20} MiB for it`, 'Compress with `xz -9` or less.');
  }
  throw malformed('it cannot be decompressed (xz refuses it)', cause);
}

function brokenTool(message: string, cause?: unknown): UpdaterError {
  return new UpdaterError('HOST_TOOL', message, {
    remedy: 'Install or repair it: apt install --reinstall xz-utils. The next run tries again.',
    cause,
  });
}
