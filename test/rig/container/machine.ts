/** What stands on this machine for one container: its keeper (mounts, control groups, directories) and its nspawn. */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { ended, isUp, mustRun, start } from './process.ts';

export interface Machine {
  readonly name: string;
  /** Where the container's / is on this machine, as long as the machine is not disposed, up or down. */
  readonly root: string;
  /** Where all that the container changed is on this machine. */
  readonly changes: string;
  readonly outside: Outside;
  /** Starts PID 1; rejects when it is up already. */
  start(): Promise<void>;
  /** The pid, on this machine, of the container's PID 1. Throws while the container is down. */
  leader(): number;
  /** SIGKILL for PID 1 and so for all; nothing when it is down. */
  kill(): Promise<void>;
  /** Resolves when PID 1 has ended. */
  ended(): Promise<void>;
  /** What PID 1 and nspawn printed, for messages. */
  console(): Promise<string>;
  dispose(): Promise<void>;
}

/** This machine as its keeper sees it, with the mounts that the container's / is made of. */
export interface Outside {
  /** What `Machine.root` is there. */
  readonly root: string;
  /** Runs a program there to its end; throws when its status is not 0. Its standard output. */
  run(command: readonly string[]): Promise<string>;
}

export async function makeMachine(storage: 'memory' | 'disk', layers: readonly string[]): Promise<Machine> {
  const name = `rig-${randomBytes(4).toString('hex')}`;
  const work = await mkdtemp(join(storage === 'disk' ? '/var/tmp' : tmpdir(), `${name}-`));
  const { keeper, groups } = await startKeeper(name, work, storage, layers);
  // The keeper's mounts are seen by nobody else; this is the way to them.
  const inside = `/proc/${String(keeper.pid)}/root${work}`;
  const enter = ['nsenter', '--target', String(keeper.pid), '--mount', '--'];
  let nspawn: ChildProcess | undefined;
  let leader: number | undefined;
  const kill = async (): Promise<void> => {
    if (nspawn === undefined || !isUp(nspawn)) return;
    if (leader === undefined) nspawn.kill('SIGKILL');
    else process.kill(leader, 'SIGKILL');
    await ended(nspawn);
  };
  return {
    name,
    root: `${inside}/merged`,
    changes: `${inside}/upper`,
    outside: { root: `${work}/merged`, run: (command) => mustRun([...enter, ...command]) },
    start: async () => {
      if (nspawn !== undefined && isUp(nspawn)) throw new Error(`${name} is up already`);
      leader = undefined;
      nspawn = start([...enter, join(import.meta.dirname, 'start-systemd'), name, work, ...groups], {
        stdio: ['ignore', 'inherit', 'inherit'],
        detached: true,
      });
      leader = await findLeader(nspawn, `${inside}/console`);
    },
    leader: () => {
      if (leader === undefined || nspawn === undefined || !isUp(nspawn)) throw new Error(`${name} is down`);
      return leader;
    },
    kill,
    ended: async () => {
      if (nspawn !== undefined) await ended(nspawn);
    },
    console: () => readFile(`${inside}/console`, 'utf8'),
    dispose: async () => {
      await kill();
      keeper.stdin?.end();
      await ended(keeper);
    },
  };
}

async function startKeeper(
  name: string,
  work: string,
  storage: string,
  layers: readonly string[],
): Promise<{ keeper: ChildProcess; groups: readonly string[] }> {
  const keeper = start(
    [
      ...['unshare', '--mount', '--propagation', 'private', '--'],
      ...[join(import.meta.dirname, 'keeper'), name, work, storage, ...layers],
    ],
    // A process group of its own: Ctrl-C ends the test, and the test's end is what the keeper waits for.
    { stdio: ['pipe', 'pipe', 'inherit'], detached: true },
  );
  const groups: string[] = [];
  if (keeper.stdout !== null)
    for await (const line of createInterface({ input: keeper.stdout })) {
      if (line === 'ready') return { keeper, groups };
      groups.push(line);
    }
  throw new Error('the rig could not mount its overlay; it needs root, overlayfs and control groups (see above)');
}

/** nspawn's child that is pid 1 in a namespace of its own. The kernel tells nobody when it comes, so it is asked. */
async function findLeader(nspawn: ChildProcess, console: string): Promise<number> {
  while (isUp(nspawn)) {
    const pid = String(nspawn.pid);
    const children = await procText(`/proc/${pid}/task/${pid}/children`);
    for (const child of children.trim().split(' '))
      if (/^NSpid:\t\d+\t1$/m.test(await procText(`/proc/${child}/status`))) return Number(child);
    await delay(5);
  }
  throw new Error(`systemd-nspawn ended before PID 1 was there:\n${await readFile(console, 'utf8')}`);
}

/** '' for a process that is gone. */
async function procText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
