/** `fetch NODE`: what node-updater-fetch@NODE.service runs. */
import type { ExitCode } from '../errors.ts';
import { readFetchOrder } from '../fetch/order.ts';
import { runFetchRoom } from '../fetch/room.ts';
import type { CommandOf } from './command.ts';
import type { Host } from './host.ts';

export async function fetch({ node }: CommandOf<'fetch'>, host: Host): Promise<ExitCode> {
  const layout = host.layout.node(node);
  const order = await readFetchOrder(layout.fetchOrder);
  const [files, log] = await Promise.all([host.files(), host.log('info')]);
  return runFetchRoom(order, host.env['CACHE_DIRECTORY'] ?? layout.cache, {
    clock: host.clock(),
    files,
    log,
    random: Math.random,
    signal: host.onSignal('SIGTERM'),
    version: host.version,
    environment: host.env,
  });
}
