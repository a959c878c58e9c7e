/** `fetch NODE`: what node-updater-fetch@NODE.service runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExitCode } from '../errors.ts';
import { readFetchOrder } from '../fetch/order.ts';
import { runFetchRoom } from '../fetch/room.ts';
import type { Clock } from '../host/ports.ts';
import type { CommandOf } from './command.ts';
import type { Host } from './host.ts';

export async function fetch({ node }: CommandOf<'fetch'>, host: Host): Promise<ExitCode> {
  const layout = host.layout.node(node);
  const order = await readFetchOrder(layout.fetchOrder);
  const [files, log] = await Promise.all([host.files(), host.log('info')]);
  return runFetchRoom(order, host.env['CACHE_DIRECTORY'] ?? layout.cache, {
    clock: roomClock(),
    files,
    log,
    random: Math.random,
    signal: host.onSignal('SIGTERM'),
    version: host.version,
    environment: host.env,
  });
}

/** The room sees no /proc/sys (ProcSubset=pid), so it has no boot id, and needs none. */
function roomClock(): Pick<Clock, 'now' | 'monotonic' | 'wait'> {
  return {
    now: () => Date.now(),
    monotonic: () => process.hrtime.bigint() / 1000n,
    wait: async (ms, signal) => {
      await sleep(ms, undefined, signal === undefined ? {} : { signal });
    },
  };
}
