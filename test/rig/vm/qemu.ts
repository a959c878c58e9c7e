/**
 * One run of QEMU, from power on to power off: its command line, its monitor (QMP), and the port of the agent inside.
 * It ends with this process, in whatever way that ends.
 */
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ended, isUp, start } from '../container/process.ts';
import { connectAgent, type Agent } from './agent.ts';

export interface QemuOptions {
  /** What make-kernel made. */
  readonly kernel: string;
  readonly disk: { readonly file: string; readonly format: 'raw' | 'qcow2' };
  /** Where what the machine prints goes. */
  readonly console: string;
  /** The time of day at power on. It goes on while the machine sleeps. */
  readonly clock: Date;
  /** A file with the memory and the devices of a machine to go on from, instead of a boot. */
  readonly state?: string;
}

export interface Qemu {
  readonly agent: Agent;
  /** A command of the monitor, and its answer. */
  monitor(execute: string, args?: object): Promise<unknown>;
  /** Resolves when the state of the machine has come in whole. */
  migrated(): Promise<void>;
  /** Stands still, writes memory and devices to a file, and ends. */
  keep(state: string): Promise<void>;
  /** Resolves when the machine has gone to sleep. */
  asleep(): Promise<void>;
  isUp(): boolean;
  /** SIGKILL: the power is cut. */
  kill(): Promise<void>;
  ended(): Promise<void>;
}

/** Megabytes. */
const MEMORY = 768;

export function startQemu(options: QemuOptions): Qemu {
  // The first two are the monitor and the agent, as sockets that nothing has to be connected to.
  const child = start(['setpriv', '--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...commandLine(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'],
  });
  const [monitorPort, agentPort] = [child.stdio[3] as Socket, child.stdio[4] as Socket];
  const down = ended(child).then(() => new Error('the machine is down'));
  const monitor = connectMonitor(monitorPort, down);
  const migrated = (): Promise<void> =>
    polled(async () => statusIn(await monitor('query-migrate')), 'completed', ['failed', 'cancelled']);
  return {
    agent: connectAgent(agentPort, down),
    monitor,
    migrated,
    keep: async (state) => {
      await monitor('stop');
      await monitor('migrate', { uri: `exec:cat >'${state}'` });
      await migrated();
      await monitor('quit');
      await ended(child);
    },
    asleep: () => polled(async () => statusIn(await monitor('query-status')), 'suspended', []),
    isUp: () => isUp(child),
    kill: async () => {
      child.kill('SIGKILL');
      await ended(child);
    },
    ended: () => ended(child),
  };
}

function commandLine({ kernel, disk, console, clock, state }: QemuOptions): string[] {
  // Hardware virtualisation is not asked for: where tests run it is mostly missing, and two kinds of machine are two rigs.
  // Emulated, a plain processor is the fastest.
  return [
    ...['-machine', 'pc', '-accel', 'tcg,thread=multi', '-cpu', 'Nehalem,+rdrand', '-m', String(MEMORY), '-smp', '2'],
    ...['-nodefaults', '-display', 'none', '-no-reboot', '-serial', `file:${console}`],
    ...['-rtc', `base=${clock.toISOString().slice(0, 19)},clock=host`],
    ...['-kernel', join(kernel, 'vmlinuz'), '-initrd', join(kernel, 'initrd')],
    ...['-append', 'console=ttyS0 panic=-1 mitigations=off systemd.log_level=notice'],
    // As a disk has it: what is written is in its cache until the machine flushes.
    ...['-drive', `file=${disk.file},format=${disk.format},if=virtio,cache=writeback`],
    ...['-chardev', 'socket,id=monitor,fd=3', '-mon', 'chardev=monitor,mode=control'],
    ...['-device', 'virtio-serial', '-chardev', 'socket,id=agent,fd=4', '-device', 'virtserialport,chardev=agent,nr=1'],
    ...(state === undefined ? [] : ['-incoming', `exec:cat '${state}'`]),
  ];
}

function statusIn(answer: unknown): string {
  return (answer as { readonly status?: string }).status ?? '';
}

/** The monitor tells of both by events too, but only of those that come after it was listened to. */
async function polled(ask: () => Promise<string>, wanted: string, wrong: readonly string[]): Promise<void> {
  const deadline = AbortSignal.timeout(120_000);
  for (let status = await ask(); status !== wanted; status = await ask()) {
    if (deadline.aborted || wrong.includes(status)) throw new Error(`the machine is ${status}, not ${wanted}`);
    await delay(20);
  }
}

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

/** One command at a time; greetings and events are passed over. */
function connectMonitor(port: Socket, down: Promise<Error>): Qemu['monitor'] {
  const waiting: ((reply: Reply) => void)[] = [];
  let received = '';
  port.setEncoding('utf8').on('data', (text: string) => {
    const lines = (received + text).split('\n');
    received = lines.pop() ?? '';
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply;
      if ('return' in reply || 'error' in reply) waiting.shift()?.(reply);
    }
  });
  port.on('error', () => port.destroy()); // the end of the machine tells the same
  const command: Qemu['monitor'] = async (execute, args = {}) => {
    const answer = Promise.withResolvers<Reply>();
    waiting.push(answer.resolve);
    port.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    const reply = await Promise.race([answer.promise, down]);
    if (reply instanceof Error) throw reply;
    if (reply.error !== undefined) throw new Error(`${execute}: ${reply.error.desc}`);
    return reply.return;
  };
  const negotiated = command('qmp_capabilities');
  negotiated.catch(() => undefined); // who waits for a command hears of it
  return async (execute, args) => {
    await negotiated;
    return command(execute, args);
  };
}
