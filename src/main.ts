/**
 * The composition root: the only place that makes the real adapters. One command is loaded, and of the adapters only what
 * it asks for: `status` must start in a moment, and a room must hold as little code as its work needs.
 */
import { statSync } from 'node:fs';
import metadata from '../package.json' with { type: 'json' };
import type { Host } from './cli/host.ts';
import { makeOutput } from './cli/output.ts';
import { formatOf, quickInvocation } from './cli/quick.ts';
import { dispatch } from './cli/dispatch.ts';
import { reportError } from './cli/report-error.ts';
import { abortOn, endQuietlyWithReader, goesToJournal } from './cli/process.ts';
import { hostClock } from './host/clock.ts';
import { visible } from './host/log-line.ts';
import { run } from './host/run.ts';
import { layoutAt } from './layout.ts';

const { argv: words, env, stdout, stderr } = process;
// What a person's command makes is read by others (status without root, the rooms). Our units set UMask= themselves.
if (env['INVOCATION_ID'] === undefined) process.umask(0o022);
const argv = words.slice(2);
const style = goesToJournal(2, env) ? 'journal' : 'terminal';
const output = makeOutput({ stdout, stderr, env, visible, errorPrefix: style === 'journal' ? '<3>' : '' });

const host: Host = {
  argv,
  env,
  uid: process.geteuid?.() ?? -1,
  layout: layoutAt(''),
  run,
  output,
  version: metadata.version,
  // Packages keep the time of their sources: no true time lies before it.
  buildTime: statSync(import.meta.filename).mtimeMs,
  clock: () => hostClock(env['NODE_UPDATER_BOOT_ID']),
  files: async () => (await import('./host/files.ts')).durableFiles(run),
  log: async (level) => (await import('./host/log.ts')).makeLog({ level, descriptor: 2, style, run }),
  bus: async (log) => {
    const { connectSystemBus } = await import('./host/bus.ts');
    const { enduringBus } = await import('./host/bus-again.ts');
    return enduringBus(await connectSystemBus({ log }), () => connectSystemBus({ log }), hostClock());
  },
  lock: async (path, holder) => (await import('./host/lock.ts')).takeLock(path, holder, run),
  heartbeat: async (timeout, log, limit) => {
    const { makeNotify } = await import('./host/notify.ts');
    const { makeHeartbeat } = await import('./host/heartbeat.ts');
    const notify = makeNotify(env, run, log);
    if (limit === undefined) return makeHeartbeat(notify, timeout, hostClock());
    const { outlastingReloads } = await import('./host/limit.ts');
    const uptime = (): number => process.uptime();
    return makeHeartbeat(
      outlastingReloads(notify, limit, { files: await host.files(), uptime, log }),
      timeout,
      hostClock(),
    );
  },
  onSignal: abortOn,
};

for (const stream of [stdout, stderr]) endQuietlyWithReader(stream);
try {
  const invocation = quickInvocation(argv) ?? (await (await import('./cli/args.ts')).parseArgs(argv, host.version));
  process.exitCode = await dispatch(invocation, host);
} catch (error) {
  process.exitCode = reportError(error, formatOf(argv), output);
}
