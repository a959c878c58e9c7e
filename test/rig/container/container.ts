/**
 * A Debian 12 host with systemd as PID 1, booted in about a second on a throwaway overlay. See README.md.
 *
 *     await using host = await bootContainer();
 *     await host.sh('systemctl start foo.service');
 *     await host.crash();
 *     await host.boot();
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeMachine, type Machine, type Outside } from './machine.ts';
import { failure, lineOf, mustRun, run, start, type Result } from './process.ts';

export type { Outside } from './machine.ts';
export type { Result } from './process.ts';

export interface BootOptions {
  /**
   * Where what the container writes is kept: `memory` (default) is a tmpfs, on which fsync costs nothing; `disk` is a
   * directory under /var/tmp, for measurements and for releases that are larger than memory.
   */
  readonly storage?: 'memory' | 'disk';
  /** Read-only layers above the root file system, topmost first; installed.ts makes one. */
  readonly layers?: readonly string[];
  /** Called before the first boot: what it mounts below `root` is there for the container. */
  readonly prepare?: (outside: Outside) => Promise<void>;
}

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  /** Seconds, then the command is ended and its status is 124. Default 60. */
  readonly timeout?: number;
  /** Default root. */
  readonly user?: string;
}

export interface WaitOptions {
  /** Seconds. Default 60. */
  readonly timeout?: number;
}

/** What `systemctl is-system-running` says once the jobs of the boot are done. */
export type SystemState = 'running' | 'degraded' | 'maintenance';

export interface Container extends AsyncDisposable {
  /** Random, unique on this machine; also the container's host name. */
  readonly name: string;
  /** Runs a program to its end, whatever its status. */
  run(command: readonly string[], options?: CommandOptions): Promise<Result>;
  /** Runs a shell script (`sh -eu`); throws when its status is not 0. Its standard output without the last newline. */
  sh(script: string, options?: CommandOptions): Promise<string>;
  /** Starts a program and leaves it running, its output in a pipe (`busctl monitor`). It ends with the container. */
  start(command: readonly string[]): ChildProcess;
  /** Boots what is powered off or crashed, on the same disk, and waits until the jobs of the boot are done. */
  boot(): Promise<SystemState>;
  /** An orderly shutdown. */
  powerOff(): Promise<void>;
  /** An orderly shutdown, then a boot. */
  reboot(): Promise<SystemState>;
  /** Kills PID 1, and so every process, at once. What was written stays: a crash of the host, but no power cut. */
  crash(): Promise<void>;
  /** `journalctl` with these arguments; the journal outlives crashes, so `-b -1` is the boot before this one. */
  journal(...args: string[]): Promise<string>;
  /** The first message of this boot that matches, as soon as the journal has it. */
  waitForJournal(pattern: RegExp, options?: WaitOptions & { readonly unit?: string }): Promise<string>;
  /** Waits until a shell condition holds; it is asked 20 times a second, in the container. */
  waitFor(condition: string, options?: WaitOptions): Promise<void>;
  /** Writes a file, and makes its directory. A string is the path of a file on this machine; bytes are the content. */
  push(from: string | Uint8Array, path: string, mode?: number): Promise<void>;
  read(path: string): Promise<string>;
  /**
   * Where an absolute path of the container is on this machine, also while the container is down. Not for /run, /tmp and
   * other mounts made by the container, and never across a link with an absolute target: it would lead to this machine.
   */
  path(path: string): string;
  /** Where, on this machine, all that the container has changed is: to make a layer of it. */
  readonly changes: string;
  /** To mount something below `root` for the next boot, while the container is down. */
  readonly outside: Outside;
}

const TIMEOUT = 60;

export async function bootContainer(options: BootOptions = {}): Promise<Container> {
  const machine = await makeMachine(options.storage ?? 'memory', [...(options.layers ?? []), await rootFileSystem()]);
  const container = containerOn(machine);
  try {
    await writeFile(`${machine.root}/etc/machine-id`, `${randomBytes(16).toString('hex')}\n`);
    await writeFile(`${machine.root}/etc/hostname`, `${machine.name}\n`);
    await options.prepare?.(machine.outside);
    await container.boot();
    return container;
  } catch (error) {
    await machine.dispose();
    throw error;
  }
}

/** The directory of the root file system that all containers share; made when it is not there yet. */
export async function rootFileSystem(): Promise<string> {
  return (await mustRun([join(import.meta.dirname, 'make-root')])).trim();
}

function containerOn(machine: Machine): Container {
  const runInside: Container['run'] = (command, { input, timeout = TIMEOUT, user } = {}) =>
    run(enter(machine, ['timeout', '--kill-after=5', String(timeout), ...command], user), input);
  const sh: Container['sh'] = async (script, options) => {
    const result = await runInside(['sh', '-euc', script], options);
    if (result.status !== 0) throw new Error(failure(['sh', '-euc', script], result));
    return result.stdout.replace(/\n$/, '');
  };
  const boot = async (): Promise<SystemState> => {
    await machine.start();
    return bootFinished(machine);
  };
  const powerOff = async (): Promise<void> => {
    // PID 1 may be gone before systemctl has its answer, so its status says nothing; the end of the machine does.
    await runInside(['systemctl', '--no-block', 'poweroff']);
    await machine.ended();
  };
  return {
    name: machine.name,
    changes: machine.changes,
    outside: machine.outside,
    path: (path) => machine.root + path,
    run: runInside,
    sh,
    start: (command) => start(enter(machine, command)),
    boot,
    powerOff,
    reboot: async () => {
      await powerOff();
      return boot();
    },
    crash: () => machine.kill(),
    journal: async (...args) => {
      const command = ['journalctl', '--no-pager', ...args];
      const result = await runInside(command);
      if (result.status !== 0) throw new Error(failure(command, result));
      return result.stdout;
    },
    waitForJournal: (pattern, options) => waitForJournal(machine, pattern, options),
    waitFor: async (condition, { timeout = TIMEOUT } = {}) => {
      const loop = `until { ${condition}\n} >/dev/null 2>&1; do sleep 0.05; done`;
      const { status } = await runInside(['sh', '-c', loop], { timeout });
      if (status !== 0) throw new Error(`did not come true in ${timeout} s: ${condition}`);
    },
    push: (from, path, mode) => push(machine, from, path, mode),
    read: (path) => mustRun(enter(machine, ['cat', '--', path])),
    [Symbol.asyncDispose]: () => machine.dispose(),
  };
}

/** The command that runs `command` in every namespace of the container, with a login's environment and no more. */
function enter(machine: Machine, command: readonly string[], user = 'root'): readonly string[] {
  return [
    ...['nsenter', '--target', String(machine.leader()), '--all', '--root', '--wd', '--', 'env', '-i'],
    ...['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8'],
    ...(user === 'root' ? ['HOME=/root', 'USER=root'] : ['runuser', '-u', user, '--']),
    ...command,
  ];
}

async function bootFinished(machine: Machine): Promise<SystemState> {
  const deadline = AbortSignal.timeout(120_000);
  while (!deadline.aborted) {
    // Waits in the container, for systemd's own signal. It fails at once as long as PID 1 has no socket yet.
    const { stdout } = await run(enter(machine, ['timeout', '120', 'systemctl', 'is-system-running', '--wait']));
    const state = stdout.trim();
    if (state === 'running' || state === 'degraded' || state === 'maintenance') return state;
    await delay(10);
  }
  throw new Error(`${machine.name} did not finish its boot in 120 s:\n${await machine.console()}`);
}

async function waitForJournal(
  machine: Machine,
  pattern: RegExp,
  { unit, timeout = TIMEOUT }: WaitOptions & { readonly unit?: string } = {},
): Promise<string> {
  const only = unit === undefined ? [] : ['--unit', unit];
  const follow = ['journalctl', '--follow', '--boot', '--lines=all', '--output=cat', ...only];
  const child = start(enter(machine, ['timeout', String(timeout), ...follow]));
  try {
    const line = await lineOf(child.stdout, pattern);
    if (line === undefined) throw new Error(`nothing like ${String(pattern)} in the journal within ${timeout} s`);
    return line;
  } finally {
    child.stdout?.destroy(); // the next line kills journalctl by SIGPIPE, the time-out at the latest
    child.unref();
  }
}

/** Through the container, not its directory on this machine, on which an absolute link would lead out of it. */
async function push(machine: Machine, from: string | Uint8Array, path: string, mode = 0o644): Promise<void> {
  const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
  const command = enter(machine, ['sh', '-euc', script, 'push', path, mode.toString(8)]);
  await mustRun(command, typeof from === 'string' ? createReadStream(from) : from);
}
