/** `probe NODE`: what node-updater-probe@NODE.service runs. */
import { EXIT, type ExitCode } from '../errors.ts';
import { readProbeOrder } from '../probe/order.ts';
import { runProbeRoom } from '../probe/room.ts';
import type { CommandOf } from './command.ts';
import type { Host } from './host.ts';

export async function probe({ node }: CommandOf<'probe'>, host: Host): Promise<ExitCode> {
  const order = await readProbeOrder(host.layout.node(node).probeOrder);
  const log = await host.log('info');
  await runProbeRoom(order, process.stdout, host.onSignal('SIGTERM'), { run: host.run, clock: host.clock(), log });
  return EXIT.done;
}
