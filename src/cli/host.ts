import type { Clock, Files, Heartbeat, Lock, Log, Run, SystemBus } from '../host/ports.ts';
import type { Layout } from '../layout.ts';
import type { GlobalSettings } from '../settings.ts';
import type { Output } from './output.ts';

/** What main.ts gives a command. What is dear to load is made when it is asked for. */
export interface Host {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Effective user id. */
  readonly uid: number;
  readonly layout: Layout;
  readonly run: Run;
  readonly output: Output;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly buildTime: number;
  clock(): Clock;
  files(): Promise<Files>;
  log(level: GlobalSettings['logLevel']): Promise<Log>;
  bus(log: Pick<Log, 'warn'>): Promise<SystemBus>;
  lock(path: string, holder: string): Promise<Lock>;
  /** `limit` is where the drop-in of our own unit is, if reloads of systemd must be outlasted. */
  heartbeat(timeout: number, log: Pick<Log, 'warn'>, limit?: string): Promise<Heartbeat>;
  /** From the first call on the signal aborts instead of ending the process. */
  onSignal(name: 'SIGINT' | 'SIGTERM'): AbortSignal;
}
