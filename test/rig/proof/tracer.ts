/**
 * strace on a run of the transaction unit, from outside of the container: the sandbox of the unit stays as it is. A drop-in
 * loads attach.mjs before the updater, with one thread in libuv's pool, so that calls come in an order that can be counted.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container } from '../container/container.ts';
import { start } from '../container/process.ts';
import { CALLS, withNames, type Names, type Point, type Thread } from './points.ts';

const AT = '/srv/proof';

/** `record`: only looks. `stop`: SIGSTOP right after the call. `kill`: SIGKILL instead of the call. Else the call fails so. */
export type Strike = { readonly at: Point; readonly how: 'stop' | 'kill' | Errno } | 'record';
export type Errno = 'EIO' | 'ENOSPC' | 'EROFS' | 'EMFILE';

/** One run of the unit that the tracer is at. */
export interface TracedRun {
  readonly names: Names;
  /** Resolves when it was attached to and let go; rejects when no run came in time. */
  readonly attached: Promise<void>;
  /** Resolves with whether the point was hit: at once for a stop, else when the run is over. */
  readonly struck: Promise<boolean>;
  /** Whether the process is gone. */
  over(): boolean;
  /** Ends a run that was stopped. */
  kill(): void;
  /** What was traced, once it is over. */
  trace(): Promise<Readonly<Record<Thread, string>>>;
  /** No run came that could have been attached to, and none is waited for any more. */
  disarm(): Promise<void>;
}

export interface Tracer {
  /** The next run of the unit, from one version to another, is held until it is attached to. */
  arm(strike: Strike, versions: Pick<Names, 'FROM' | 'TO'>): Promise<TracedRun>;
}

const dropIn = `# For the proofs alone.
[Service]
ExecStart=
ExecStart=/usr/lib/node-autoupdate/node --import ${AT}/attach.mjs --max-semi-space-size=1 /usr/lib/node-autoupdate/main.mjs transact %i
Environment=UV_THREADPOOL_SIZE=1
ReadWritePaths=${AT}
`;

export async function makeTracer(host: Container): Promise<Tracer> {
  await host.push(join(import.meta.dirname, 'attach.mjs'), `${AT}/attach.mjs`);
  await host.push(Buffer.from(dropIn), '/etc/systemd/system/node-updater@.service.d/proof.conf');
  await host.sh('systemctl daemon-reload');
  let runs = 0;
  return {
    arm: async (strike, versions) => {
      const run = `f${String(++runs).padStart(11, '0')}`;
      await writeFile(host.path(`${AT}/armed`), run);
      return traced(host, { ...versions, RUN: run }, strike);
    },
  };
}

function traced(host: Container, names: Names, strike: Strike): TracedRun {
  const threads: readonly Thread[] = strike === 'record' ? ['main', 'pool'] : [strike.at.thread];
  const traces = new Map<Thread, Trace>();
  const hit = Promise.withResolvers<boolean>();
  const waiting = new AbortController();
  let leader: number | undefined;
  let over = false;
  const attach = async (): Promise<void> => {
    const ready = await readyFile(host, waiting.signal);
    const ids = await hostThreads(host, ready);
    leader = ids.main;
    for (const thread of threads) traces.set(thread, await strace(ids[thread], optionsOf(strike, names), hit.resolve));
    await rm(host.path(`${AT}/ready`));
    await writeFile(host.path(`${AT}/go`), '');
    void Promise.all([...traces.values()].map(({ ended }) => ended)).then(() => {
      over = true;
      hit.resolve([...traces.values()].some(({ text }) => HIT.test(text())));
    });
  };
  return {
    names,
    attached: attach(),
    struck: hit.promise,
    over: () => over,
    kill: () => {
      if (leader !== undefined) process.kill(leader, 'SIGKILL');
    },
    trace: async () => {
      await Promise.all([...traces.values()].map(({ ended }) => ended));
      return { main: traces.get('main')?.text() ?? '', pool: traces.get('pool')?.text() ?? '' };
    },
    disarm: async () => {
      waiting.abort();
      await rm(host.path(`${AT}/armed`), { force: true });
      hit.resolve(false);
    },
  };
}

const STOPPED = /^[\d.]+ --- stopped by SIGSTOP ---/m;
const HIT = /\(INJECTED\)|--- stopped by SIGSTOP ---|killed by SIGKILL/;

function optionsOf(strike: Strike, names: Names): readonly string[] {
  const common = ['-y', '-ttt', '-s', '700'];
  if (strike === 'record') return [...common, '-e', `trace=${CALLS.join(',')}`];
  const { at, how } = strike;
  const what = how === 'stop' ? 'signal=SIGSTOP' : how === 'kill' ? 'signal=SIGKILL' : `error=${how}`;
  const only = at.path === undefined ? [] : ['-P', withNames(at.path, names)];
  return [...common, ...only, '-e', `trace=${at.call}`, '-e', `inject=${at.call}:${what}:when=${at.nth}`];
}

interface Trace {
  readonly text: () => string;
  readonly ended: Promise<unknown>;
}

/** Resolves when strace has attached to the thread. */
async function strace(thread: number, options: readonly string[], hit: (hit: boolean) => void): Promise<Trace> {
  const child: ChildProcess = start(['strace', ...options, '-p', String(thread)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const attached = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<undefined>();
  let text = '';
  if (child.stderr !== null) {
    createInterface({ input: child.stderr })
      .on('line', (line) => {
        if (/^strace: Process \d+ attached/.test(line)) attached.resolve(undefined);
        else text += `${line}\n`;
        if (STOPPED.test(line)) hit(true);
      })
      .on('close', () => {
        attached.reject(new Error(`strace ended before it had attached: ${text}`));
        ended.resolve(undefined);
      });
  }
  await attached.promise;
  return { text: () => text, ended: ended.promise };
}

interface Threads {
  readonly main: string;
  readonly pool: string;
}

/** A run is held until `go` is there, so nothing is missed by asking now and then. */
async function readyFile(host: Container, signal: AbortSignal): Promise<Threads> {
  const path = host.path(`${AT}/ready`);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
  while (!existsSync(path)) {
    if (deadline.aborted) throw new Error('no run of the transaction unit came that could be attached to');
    await delay(10);
  }
  return JSON.parse(await readFile(path, 'utf8')) as Threads;
}

/** The ids of these threads on this machine: they know only those of their own container. */
async function hostThreads(host: Container, inside: Threads): Promise<Record<Thread, number>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const group = await textOf(`/proc/${pid}/cgroup`);
    if (!group.includes(`/${host.name}/`) || !group.includes('/node-updater@demo.service')) continue;
    const ids = new Map<string, number>();
    for (const id of await readdir(`/proc/${pid}/task`)) {
      const own = /^NSpid:.*\t(\d+)$/m.exec(await textOf(`/proc/${pid}/task/${id}/status`))?.[1];
      if (own !== undefined) ids.set(own, Number(id));
    }
    const [main, pool] = [ids.get(inside.main), ids.get(inside.pool)];
    if (main !== undefined && pool !== undefined) return { main, pool };
  }
  throw new Error(`no process of ${host.name} has the threads ${inside.main} and ${inside.pool}`);
}

/** '' for a process that is gone. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
