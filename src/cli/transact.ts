/** `transact NODE`: what node-updater@NODE.service runs. One run of one node's transaction, under the node's lock. */
import { loadSettings, requireNode } from '../config/load.ts';
import type { ExitCode } from '../errors.ts';
import { forgetOld } from '../machine/forget.ts';
import { openLedger } from '../machine/ledger.ts';
import { watchOwnUnit } from '../machine/own-unit.ts';
import { takeRequest } from '../machine/request.ts';
import { transact as runTransaction } from '../machine/transact.ts';
import type { CommandOf } from './command.ts';
import type { Host } from './host.ts';
import { archOf, readMachineId } from './machine-facts.ts';
import { transactionUnit } from './units.ts';

export async function transact({ node }: CommandOf<'transact'>, host: Host): Promise<ExitCode> {
  const loaded = loadSettings(host.layout, host.env, host.uid);
  const { global } = loaded.settings;
  const settings = requireNode(loaded, node);
  const layout = host.layout.node(node);
  const [files, log, machineId] = await Promise.all([host.files(), host.log(global.logLevel), readMachineId()]);
  const heartbeat = await host.heartbeat(global.heartbeatTimeout, log, layout.limit);
  // From here on the heartbeat counts, not the time that the unit gives us to start.
  heartbeat.beat();
  await files.makeDirectory(layout.state, 0o755);
  await files.makeDirectory(layout.incoming, 0o700);
  await files.makeDirectory(layout.run, 0o755);
  await using lock = await host.lock(layout.lock, 'a transaction');
  log.debug(`Holds ${lock.path}`);
  const clock = host.clock();
  await forgetOld(layout.ledger, files, log);
  const ledger = await openLedger(layout.ledger, files, clock);
  const request = await takeRequest(layout, clock, log);
  const bus = await host.bus(log);
  try {
    return await runTransaction(request, ledger, {
      layout,
      settings,
      global,
      unit: `${node}.service`,
      files,
      clock,
      bus,
      log,
      heartbeat,
      run: host.run,
      machineId,
      arch: archOf(process.arch),
      buildTime: host.buildTime,
      beingStopped: await watchOwnUnit(transactionUnit(node), bus),
    });
  } finally {
    await bus.close();
    for (const limit of [layout.limit, layout.backupLimit, layout.tendLimit]) await files.remove(limit);
  }
}
