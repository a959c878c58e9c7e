/** `backup-room NODE`: what node-updater-backup@NODE.service and node-updater-tend@NODE.service run. Its answer is the only thing on standard output. */
import { readBackupOrder } from '../backup/order.ts';
import { runBackupRoom } from '../backup/room.ts';
import { CODES, EXIT, type ErrorCode, type ExitCode } from '../errors.ts';
import { isForNodeUp } from '../orders.ts';
import type { CommandOf } from './command.ts';
import type { Host } from './host.ts';

/** The units' TimeoutStartSec=, in milliseconds. */
const HEARTBEAT = 120_000;

export async function backupRoom({ node }: CommandOf<'backup-room'>, host: Host): Promise<ExitCode> {
  const layout = host.layout.node(node);
  const { settings, ...order } = await readBackupOrder(layout.backupOrder);
  const [files, log] = await Promise.all([host.files(), host.log('info')]);
  const heartbeat = await host.heartbeat(HEARTBEAT, log, isForNodeUp(order) ? layout.tendLimit : layout.backupLimit);
  heartbeat.beat();
  const context = { node, layout, settings, files, run: host.run, clock: host.clock(), log, heartbeat };
  const line = await runBackupRoom({ settings, ...order }, context);
  host.output.raw(`${JSON.stringify(line)}\n`);
  return line.kind === 'done' ? EXIT.done : CODES[line.code as ErrorCode].exit;
}
