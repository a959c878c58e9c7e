import { describe, expect, it } from 'vitest';
import { UpdaterError } from '../../../src/errors.ts';
import { enduringBus } from '../../../src/host/bus-again.ts';
import type { SystemBus } from '../../../src/host/ports.ts';

const lost = () => new UpdaterError('HOST_BUS', 'the bus is gone', { remedy: 'wait' });
const clock = { wait: () => Promise.resolve() };

/** A connection that is there or lost, and that counts what reaches it. */
function connection(state: 'there' | 'lost') {
  const calls: string[] = [];
  const call = (name: string) => () => {
    calls.push(name);
    return state === 'lost' && name !== 'close' ? Promise.reject(lost()) : Promise.resolve('done' as const);
  };
  // A promise must not take it for another promise.
  const get = (_: object, name: string | symbol) => (name === 'then' ? undefined : call(String(name)));
  const bus = new Proxy({}, { get }) as SystemBus;
  return { bus, calls };
}

describe('a bus that endures', () => {
  it('connects again and asks again when dbus-daemon was restarted [F087]', async () => {
    const first = connection('lost');
    const second = connection('there');
    const bus = enduringBus(first.bus, () => Promise.resolve(second.bus), clock);
    await bus.facts('n.service');
    expect(first.calls).toEqual(['facts', 'close']);
    expect(second.calls).toEqual(['facts']);
    await bus.stop('n.service', 1);
    expect(second.calls).toEqual(['facts', 'stop']);
  });

  it('never restarts a node twice: nobody knows whether the first one was done', async () => {
    const first = connection('lost');
    const bus = enduringBus(first.bus, () => Promise.resolve(connection('there').bus), clock);
    await expect(bus.tryRestart('n.service', 1)).rejects.toMatchObject({ code: 'HOST_BUS' });
    await expect(bus.restart('n.service', 1)).rejects.toMatchObject({ code: 'HOST_BUS' });
    expect(first.calls).toEqual(['tryRestart', 'restart']);
  });

  it('gives up with HOST_BUS when the bus stays away', async () => {
    let connects = 0;
    const refuse = () => {
      connects++;
      return Promise.reject(lost());
    };
    const bus = enduringBus(connection('lost').bus, refuse, clock);
    await expect(bus.facts('n.service')).rejects.toMatchObject({ code: 'HOST_BUS' });
    expect(connects).toBe(5);
  });

  it('passes every other error on at once', async () => {
    const bus = enduringBus(
      { facts: () => Promise.reject(new Error('other')) } as unknown as SystemBus,
      () => Promise.reject(new Error('not asked')),
      clock,
    );
    await expect(bus.facts('n.service')).rejects.toThrow('other');
  });
});
