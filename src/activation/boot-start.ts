/** Whether systemd starts the node at boot, across a power cut as well: it flushes nothing of the links that it makes and removes. */
import { dirname } from 'node:path';
import type { ActivationContext } from './context.ts';

/** Idempotent. Throws HOST_UNIT (a unit that cannot be enabled), HOST_BUS, DISK_*. */
export async function startAtBoot(context: ActivationContext): Promise<void> {
  await context.bus.enable([context.unit]);
  await flushLinks(context);
}

/** Only what is enabled: a static or linked unit is its operator's. Throws HOST_BUS, DISK_*. */
export async function notAtBoot(context: ActivationContext): Promise<void> {
  const { bus, unit } = context;
  if ((await bus.facts(unit)).unitFileState === 'enabled') await bus.disable([unit]);
  // Also what a run that died has disabled.
  await flushLinks(context);
}

/** The links are where [Install] says, so their whole file system is flushed; it is done twice in the life of a node. */
async function flushLinks({ files, heartbeat, layout }: ActivationContext): Promise<void> {
  await heartbeat.during(files.syncFileSystem(dirname(layout.unitFile)));
}
