/** A bus that is not there, goes away, or is none. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Message } from 'dbus-next';
import { describe, expect, it } from 'vitest';
import { connectSystemBus } from '../../src/host/bus.ts';
import type { SystemBus } from '../../src/host/ports.ts';
import { startBus } from '../rig/bus/daemon.ts';
import { makePeer } from '../rig/bus/peer.ts';
import { NAME } from '../rig/bus/systemd1.ts';
import { LONG, lost, onPrivateBus, UNIT } from './fixture.ts';

const on = onPrivateBus();

describe('a lost or missing bus', () => {
  it('fails a pending call at once when the daemon is killed in mid-call [F087]', async () => {
    const asked = Promise.withResolvers<undefined>();
    on.systemd.override('GetAll', () => {
      asked.resolve(undefined);
    });
    const calls = [on.bus.facts(UNIT), on.bus.facts(UNIT)].map((call) => expect(call).rejects.toMatchObject(lost));
    await asked.promise;
    await on.daemon.kill();
    await Promise.all(calls);
    await expect(on.bus.start(UNIT, LONG)).rejects.toMatchObject(lost);
  });

  it('fails a pending call when systemd leaves the bus in mid-call [F087]', async () => {
    on.systemd.override('StartUnit', () => void on.systemd.peer.leave());
    await expect(on.bus.start(UNIT, LONG)).rejects.toMatchObject(lost);
  });

  it('fails a call that is not answered in time, and takes the late answer for no other', async () => {
    await using second = await closing(on.connect({ callTimeout: 100 }));
    let late: Message | undefined;
    on.systemd.override('LoadUnit', (message) => {
      late = message;
    });
    await expect(second.bus.facts(UNIT)).rejects.toMatchObject({
      ...lost,
      message: expect.stringContaining('100 ms') as string,
    });
    if (late !== undefined) on.systemd.peer.reply(late, 'o', ['/wrong']);
    on.systemd.override('LoadUnit', (message) => {
      on.systemd.usual(message);
    });
    expect((await second.bus.facts(UNIT)).loadState).toBe('loaded');
  });

  it('is HOST_BUS when there is no socket, no daemon behind it, or no address [F087]', async () => {
    await expect(on.connect({ address: 'unix:path=/nonexistent/socket' })).rejects.toMatchObject(lost);
    await expect(on.connect({ address: 'carrier-pigeon:coop=3' })).rejects.toMatchObject(lost);
    await expect(on.connect({ address: 'nonsense' })).rejects.toMatchObject(lost);
    await on.daemon.kill();
    await expect(on.connect()).rejects.toMatchObject(lost);
  });

  it('is HOST_BUS when systemd is not on it', async () => {
    await on.systemd.peer.leave();
    await expect(on.connect()).rejects.toMatchObject(lost);
  });

  it('is HOST_BUS, with no fault left over, when the daemon refuses one more connection', async () => {
    await using full = await startBus('<limit name="max_completed_connections">1</limit>');
    const peer = makePeer(full.address, NAME, () => undefined);
    await peer.join();
    await expect(on.connect({ address: full.address, callTimeout: 500 })).rejects.toMatchObject(lost);
    await peer.leave();
  });

  it.each([
    ['never says a word', () => undefined],
    ['hangs up at once', (socket: Socket) => socket.destroy()],
    ['refuses whoever comes', (socket: Socket) => socket.write('REJECTED EXTERNAL\r\n'.repeat(5))],
    ['speaks another protocol', (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    [
      'accepts, then sends no messages but noise',
      (socket: Socket) => socket.write(`OK 1234\r\n${'noise '.repeat(1000)}`),
    ],
    [
      'accepts, then announces a message of 4 GB',
      (socket: Socket) => socket.write(`OK 1234\r\nl\u0002\u0001\u0001${'\u007f'.repeat(60)}`),
    ],
  ])('is HOST_BUS when what listens there %s', async (_, answer) => {
    await using server = await listen(answer);
    await expect(on.connect({ address: server.address, callTimeout: 300 })).rejects.toMatchObject(lost);
  });

  it('is looked for where DBUS_SYSTEM_BUS_ADDRESS says', async () => {
    const before = process.env['DBUS_SYSTEM_BUS_ADDRESS'];
    process.env['DBUS_SYSTEM_BUS_ADDRESS'] = on.daemon.address;
    try {
      await using other = await closing(connectSystemBus({ log: on.log }));
      expect((await other.bus.facts(UNIT)).loadState).toBe('loaded');
    } finally {
      if (before === undefined) delete process.env['DBUS_SYSTEM_BUS_ADDRESS'];
      else process.env['DBUS_SYSTEM_BUS_ADDRESS'] = before;
    }
  });

  it('lets the program end once it is closed, and no sooner [F087]', async () => {
    const bus = join(import.meta.dirname, '../../src/host/bus.ts');
    const script = `
      const { connectSystemBus } = await import(${JSON.stringify(bus)});
      const bus = await connectSystemBus({ address: ${JSON.stringify(on.daemon.address)}, log: console });
      const { loadState } = await bus.facts('${UNIT}');
      await bus.close();
      const { code } = await bus.facts('${UNIT}').catch((error) => error);
      console.log(loadState, code);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    expect({ status, output }).toEqual({ status: 0, output: 'loaded HOST_BUS\n' });
  });
});

async function closing(connecting: Promise<SystemBus>): Promise<AsyncDisposable & { readonly bus: SystemBus }> {
  const connected = await connecting;
  return { bus: connected, [Symbol.asyncDispose]: () => connected.close() };
}

async function listen(answer: (socket: Socket) => unknown): Promise<AsyncDisposable & { readonly address: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'notbus-'));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('data', () => answer(socket));
  });
  server.listen(join(directory, 'socket'));
  await once(server, 'listening');
  return {
    address: `unix:path=${directory}/socket`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await rm(directory, { recursive: true });
    },
  };
}
