/** What others on the bus may send us. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Message, MessageType, sessionBus, Variant } from 'dbus-next';
import { describe, expect, it } from 'vitest';
import { jobWithoutEnd, LONG, onPrivateBus, stranger, UNIT } from './fixture.ts';
import { MANAGER, MANAGER_PATH, NAME, PROPERTIES } from '../rig/bus/systemd1.ts';
import { unitPath } from '../rig/bus/units.ts';

const on = onPrivateBus();

describe('a signal', () => {
  it('of a stranger is believed by nobody, broadcast or not', async () => {
    const named = jobWithoutEnd(on.systemd);
    const start = on.bus.start(UNIT, LONG);
    const { path: job, asker } = await named;
    const forger = await stranger(on.daemon);
    const forged = [Number(job.split('/').at(-1)), job, UNIT, 'done'];
    for (const destination of [undefined, asker]) {
      forger.signal(MANAGER_PATH, MANAGER, 'JobRemoved', 'uoss', forged, destination);
      forger.signal(
        '/org/freedesktop/DBus',
        'org.freedesktop.DBus',
        'NameOwnerChanged',
        'sss',
        [NAME, '', ':1.99'],
        destination,
      );
    }
    await forger.leave();
    on.systemd.jobRemoved(job, 'failed');
    expect(await start).toBe('failed');
  });

  it('of any other shape than expected is passed over', async () => {
    let looked = 0;
    const watch = await on.bus.watch(UNIT, () => looked++);
    const signal = on.systemd.peer.signal;
    signal(MANAGER_PATH, MANAGER, 'JobRemoved', 's', ['garbage']);
    signal(MANAGER_PATH, MANAGER, 'JobRemoved', '', []);
    signal(MANAGER_PATH, MANAGER, 'JobRemoved', 'ssss', ['', '', '', '']);
    signal(MANAGER_PATH, MANAGER, 'JobRemoved', 'vvvv', Array(4).fill(new Variant('as', ['x'])));
    signal(MANAGER_PATH, MANAGER, 'Reloading', 's', ['no']);
    signal(unitPath(UNIT), PROPERTIES, 'PropertiesChanged', 'v', [
      new Variant('a{sv}', { x: new Variant('v', new Variant('i', 1)) }),
    ]);
    signal(unitPath(UNIT), PROPERTIES, 'PropertiesChanged', '', []);
    expect(await on.bus.start(UNIT, LONG)).toBe('done');
    expect(looked).toBeGreaterThanOrEqual(3);
    await watch[Symbol.asyncDispose]();
  });

  it('that dbus-next cannot parse does not end the process, and what follows it is read', async () => {
    const attacker = await stranger(on.daemon);
    const named = jobWithoutEnd(on.systemd);
    const start = on.bus.start(UNIT, LONG);
    const { path: job, asker } = await named;
    for (let n = 0; n < 10; n++) attacker.raw(descriptorWithoutDescriptor(asker, 100 + n));
    await attacker.leave();
    on.systemd.jobRemoved(job, 'done');
    expect(await start).toBe('done');
    expect(on.log.said).toEqual([expect.stringContaining('could not be read')]);
  });

  it('whose listener fails reaches the other listeners, and the fault is logged', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const first = await on.bus.watch(UNIT, () => {
      throw new Error('our own fault');
    });
    const second = await on.bus.watch(UNIT, () => {
      resolve(undefined);
    });
    expect(await on.bus.start(UNIT, LONG)).toBe('done');
    await promise;
    expect(on.log.said.join()).toContain('our own fault');
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  });

  it('is no longer sent to us once its watcher is disposed', async () => {
    const rules = async () => (await matchRules()).filter((rule) => rule.includes('PropertiesChanged')).length;
    const watches = await Promise.all([on.bus.watch(UNIT, () => undefined), on.bus.watch(UNIT, () => undefined)]);
    expect(await rules()).toBe(2);
    await watches[0][Symbol.asyncDispose]();
    expect(await rules()).toBe(1);
    await watches[1][Symbol.asyncDispose]();
    expect(await rules()).toBe(0);
  });
});

/** Match rules of all connections, as dbus-daemon's own statistics list them. */
async function matchRules(): Promise<string[]> {
  const asking = sessionBus({ busAddress: on.daemon.address });
  await once(asking, 'connect');
  const call = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus' };
  const reply = await asking.call(
    new Message({ ...call, interface: 'org.freedesktop.DBus.Debug.Stats', member: 'GetAllMatchRules' }),
  );
  asking.disconnect();
  return Object.values((reply?.body[0] ?? {}) as Record<string, string[]>).flat();
}

/**
 * A signal whose body is index 0 of an array of descriptors that it does not carry. dbus-next would not make one, so the type is put in
 * afterwards: `u` and `h` look the same on the wire.
 */
function descriptorWithoutDescriptor(destination: string, serial: number): Uint8Array {
  const { marshallMessage } = createRequire(import.meta.url)('dbus-next/lib/marshall-compat.js') as {
    marshallMessage: (message: Message) => [Buffer];
  };
  const head = { type: MessageType.SIGNAL, path: '/', interface: 'com.example.Evil', member: 'Signal', destination };
  const [bytes] = marshallMessage(new Message({ ...head, signature: 'u', body: [0], serial }));
  const at = bytes.indexOf(Buffer.from('\u0001u\u0000'), 16);
  bytes.write('h', at + 1);
  return bytes;
}
