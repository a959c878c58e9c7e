/** What every file of faults starts from: a private bus, a fake systemd on it, and a connection of ours. */
import { afterEach, beforeEach } from 'vitest';
import { connectSystemBus, type BusOptions } from '../../src/host/bus.ts';
import type { SystemBus } from '../../src/host/ports.ts';
import { startBus, type PrivateBus } from '../rig/bus/daemon.ts';
import { makePeer, type Peer } from '../rig/bus/peer.ts';
import { startSystemd1, type Systemd1 } from '../rig/bus/systemd1.ts';
import { fakeUnit } from '../rig/bus/units.ts';
import { warnings, type Warnings } from './warnings.ts';

export const UNIT = 'storj.service';
/** A time-out that is not meant to pass. */
export const LONG = 20_000;
/** How the loss of the bus looks: by the code, tried again later. */
export const lost = { code: 'HOST_BUS', exit: 75 };

export interface Fixture {
  daemon: PrivateBus;
  systemd: Systemd1;
  log: Warnings;
  bus: SystemBus;
  connect(options?: Partial<BusOptions>): Promise<SystemBus>;
}

export interface OpenJob {
  readonly path: string;
  /** The unique name of our connection. */
  readonly asker: string;
}

/** Made anew for each test of the file that calls this; the fields are set while a test runs. */
export function onPrivateBus(): Fixture {
  const connect: Fixture['connect'] = (options) =>
    connectSystemBus({ address: fixture.daemon.address, log: fixture.log, ...options });
  const fixture = { connect } as Fixture;

  beforeEach(async () => {
    fixture.daemon = await startBus();
    fixture.systemd = await startSystemd1(fixture.daemon.address);
    fixture.systemd.units.set(UNIT, fakeUnit(UNIT));
    fixture.log = warnings();
    fixture.bus = await connect();
  });

  afterEach(async () => {
    await fixture.bus.close();
    await fixture.systemd[Symbol.asyncDispose]();
    await fixture.daemon[Symbol.asyncDispose]();
  });

  return fixture;
}

/** Makes `member` answer with a job that nothing ends; resolves with it once it has been asked for. */
export function jobWithoutEnd(systemd: Systemd1, member = 'StartUnit'): Promise<OpenJob> {
  const { promise, resolve } = Promise.withResolvers<OpenJob>();
  systemd.override(member, (message) => {
    const path = systemd.newJob(UNIT);
    systemd.peer.reply(message, 'o', [path]);
    resolve({ path, asker: message.sender });
  });
  return promise;
}

/** Another program on the bus, as any local user may run one. */
export async function stranger(daemon: PrivateBus): Promise<Peer> {
  const peer = makePeer(daemon.address, undefined, () => undefined);
  await peer.join();
  return peer;
}
