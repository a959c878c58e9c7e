/**
 * A machine of its own kernel, emulated by QEMU, with a node on version 1.0.0 and two releases to offer it. See README.md.
 *
 *     await using vm = await makeVm();
 *     await vm.resume();                 // seconds: from the memory of a machine that was booted once
 *     await vm.sh('systemctl start node-updater.timer');
 *     await vm.cut();                    // the power is gone
 *     await vm.boot();
 */
import { mkdtemp, readFile, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CommandOptions, Container, SystemState } from '../container/container.ts';
import { ended, failure, mustRun, start, type Result } from '../container/process.ts';
import { DISK, MADE, prepared, STATE, type Made } from './prepared.ts';
import { startQemu, type Qemu } from './qemu.ts';

export interface Vm extends AsyncDisposable, Pick<Container, 'run' | 'sh' | 'waitFor' | 'push'> {
  readonly made: Made;
  /** A fresh disk, and on it the machine as it was kept; by default as it was prepared: up, its node running, its timer not started. */
  resume(kept?: Kept): Promise<void>;
  /** Keeps the machine as it is now, and ends it. */
  keep(): Promise<Kept>;
  /** Boots from the disk as the last run has left it, and waits until the jobs of the boot are done. */
  boot(): Promise<SystemState>;
  /** Ends QEMU at once. What the machine had not flushed may be lost: QEMU's own map of the disk is part of that cache. */
  cut(): Promise<void>;
  /** Wakes a machine that was told to sleep (suspend to memory), when it has slept for as long as `during` takes. */
  wake(during: () => Promise<void>): Promise<void>;
  /** What the machine has printed since it was last started. */
  console(): Promise<string>;
}

/** A machine that stands still: what tests go on from, as often as they want. */
export interface Kept {
  readonly disk: string;
  readonly format: 'raw' | 'qcow2';
  readonly state: string;
}

/** Seconds. Everything takes its time in an emulated machine whose host has other work too. */
const TIMEOUT = 120;
const BOOT_TIMEOUT = 180;

/** Boots are later than all that was written before them, whatever the day on which the tests are run. */
const LATER = 10 * 60_000;

export async function makeVm(): Promise<Vm> {
  const { directory, kernel } = await prepared();
  const work = await mkdtemp(join(tmpdir(), 'vm-'));
  const keeper = await startKeeper(work, directory);
  const made = JSON.parse(await readFile(join(directory, MADE), 'utf8')) as Made;
  const disk = { file: join(work, 'disk.qcow2'), format: 'qcow2' } as const;
  const common = { kernel, disk, console: join(work, 'console') };
  const at = Date.parse(made.at);
  const asPrepared: Kept = { disk: join(directory, DISK), format: 'raw', state: join(directory, STATE) };
  let kept = 0;
  let qemu: Qemu | undefined;
  const running = (): Qemu => {
    if (qemu?.isUp() !== true) throw new Error('the machine is down');
    return qemu;
  };
  const cut = async (): Promise<void> => {
    await qemu?.kill();
  };
  return {
    ...commandsOn(running),
    made,
    cut,
    resume: async ({ disk: below, format, state } = asPrepared) => {
      await cut();
      await mustRun(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', format, '-b', below, disk.file]);
      qemu = startQemu({ ...common, clock: new Date(at), state });
      await qemu.migrated();
      await qemu.monitor('cont'); // it was kept while it stood still
      await qemu.agent({ script: 'true', timeout: TIMEOUT });
    },
    keep: async () => {
      const name = join(work, `kept-${++kept}`);
      await running().keep(`${name}.state`);
      await rename(disk.file, `${name}.qcow2`);
      return { disk: `${name}.qcow2`, format: 'qcow2', state: `${name}.state` };
    },
    boot: async () => {
      await cut();
      qemu = startQemu({ ...common, clock: new Date(at + LATER) });
      return bootFinished(qemu);
    },
    wake: async (during) => {
      await running().asleep();
      await during();
      await running().monitor('system_wakeup');
    },
    console: () => readFile(common.console, 'utf8'),
    [Symbol.asyncDispose]: async () => {
      await cut();
      keeper.stdin?.end();
      await ended(keeper);
    },
  };
}

export async function bootFinished({ agent }: Qemu): Promise<SystemState> {
  const { stdout, stderr } = await agent({ script: 'systemctl is-system-running --wait', timeout: BOOT_TIMEOUT });
  const state = stdout.trim();
  if (state === 'running' || state === 'degraded' || state === 'maintenance') return state;
  throw new Error(`the machine did not finish its boot in ${BOOT_TIMEOUT} s: ${state} ${stderr}`);
}

function commandsOn(qemu: () => Qemu): Pick<Vm, 'run' | 'sh' | 'waitFor' | 'push'> {
  const order = (script: string, { input, timeout = TIMEOUT }: CommandOptions = {}): Promise<Result> =>
    qemu().agent({ script, timeout, ...(input === undefined ? {} : { input }) });
  const sh: Vm['sh'] = async (script, options) => {
    const result = await order(script, options);
    if (result.status !== 0) throw new Error(failure(['sh', '-euc', script], result));
    return result.stdout.replace(/\n$/, '');
  };
  return {
    sh,
    run: (command, { user = 'root', ...options } = {}) =>
      order([...(user === 'root' ? [] : ['runuser', '-u', user, '--']), ...command].map(quoted).join(' '), options),
    waitFor: async (condition, { timeout = TIMEOUT } = {}) => {
      const { status } = await order(`until { ${condition}\n} >/dev/null 2>&1; do sleep 0.1; done`, { timeout });
      if (status !== 0) throw new Error(`did not come true in ${timeout} s: ${condition}`);
    },
    push: async (from, path, mode = 0o644) => {
      const input = typeof from === 'string' ? await readFile(from) : from;
      const to = quoted(path);
      await sh(`mkdir -p "$(dirname ${to})"; cat >${to}; chmod ${mode.toString(8)} ${to}`, { input });
    },
  };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

async function startKeeper(work: string, directory: string): Promise<ReturnType<typeof start>> {
  const keeper = start([join(import.meta.dirname, 'keeper'), work, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  if (keeper.stdout !== null)
    for await (const line of createInterface({ input: keeper.stdout })) if (line === 'ready') return keeper;
  throw new Error(`the prepared machine in ${directory} cannot be locked`);
}
