import { UpdaterError } from '../errors.ts';
import type { Clock, SystemBus } from './ports.ts';

/** Tries after the first, and the pause before each, in milliseconds: a bus that is restarted is back well before. */
const TRIES = 5;
const PAUSE = 1_000;

/**
 * The system bus over the end of dbus-daemon: what asks, or may be asked twice with the same effect, connects again and is
 * asked again. A lost bus says nothing about the node (F087). A restart is not repeated: nobody knows whether it was
 * done, so its HOST_BUS goes to the caller. A watcher of a bus that was lost stays silent; who watches also looks.
 */
export function enduringBus(
  first: SystemBus,
  connect: () => Promise<SystemBus>,
  clock: Pick<Clock, 'wait'>,
): SystemBus {
  let bus = first;
  const again = async <T>(ask: (bus: SystemBus) => Promise<T>): Promise<T> => {
    for (let tries = 0; ; tries++) {
      try {
        return await ask(bus);
      } catch (error) {
        if (!isLost(error) || tries === TRIES) throw error;
        await clock.wait(PAUSE);
        bus = await replaced(bus, connect);
      }
    }
  };
  return {
    start: (unit, timeout) => again((on) => on.start(unit, timeout)),
    stop: (unit, timeout) => again((on) => on.stop(unit, timeout)),
    restart: (unit, timeout) => bus.restart(unit, timeout),
    tryRestart: (unit, timeout) => bus.tryRestart(unit, timeout),
    startNoWait: (unit) => again((on) => on.startNoWait(unit)),
    stopNoWait: (unit) => again((on) => on.stopNoWait(unit)),
    facts: (unit) => again((on) => on.facts(unit)),
    resetFailed: (unit) => again((on) => on.resetFailed(unit)),
    reload: () => again((on) => on.reload()),
    enable: (units) => again((on) => on.enable(units)),
    disable: (units) => again((on) => on.disable(units)),
    startLater: (timer, unit, delay) => again((on) => on.startLater(timer, unit, delay)),
    watch: (unit, changed) => again((on) => on.watch(unit, changed)),
    close: () => bus.close(),
  };
}

/** Stays with the old connection, whose calls fail, while no new one can be had. */
async function replaced(old: SystemBus, connect: () => Promise<SystemBus>): Promise<SystemBus> {
  try {
    const fresh = await connect();
    await old.close();
    return fresh;
  } catch (error) {
    if (isLost(error)) return old;
    throw error;
  }
}

function isLost(error: unknown): boolean {
  return error instanceof UpdaterError && error.code === 'HOST_BUS';
}
