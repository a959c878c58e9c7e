/** A program on a bus that answers methods and sends signals as a test tells it to; by dbus-next's MessageBus. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Message, MessageType, sessionBus, type MessageBus } from 'dbus-next';

export type Handler = (message: Message) => void;

export interface Peer {
  /** Method calls by name, in the order they came. */
  readonly calls: string[];
  reply(to: Message, signature?: string, body?: readonly unknown[]): void;
  refuse(to: Message, type: string, text: string): void;
  /** `destination` makes it a signal for one connection alone, whatever that one has asked for. */
  readonly signal: (
    path: string,
    iface: string,
    member: string,
    signature: string,
    body: readonly unknown[],
    destination?: string,
  ) => void;
  /** What it says while it is not on the bus is heard by nobody. */
  join(): Promise<void>;
  leave(): Promise<void>;
  /** Bytes past dbus-next, such as a message that it would never make. */
  raw(bytes: Uint8Array): void;
}

/** `handlerOf` says what answers a method; a method without a handler is refused as unknown. */
export function makePeer(
  address: string,
  name: string | undefined,
  handlerOf: (member: string) => Handler | undefined,
): Peer {
  let bus: MessageBus | undefined;
  const calls: string[] = [];
  const join = async () => {
    const joining = sessionBus({ busAddress: address });
    await once(joining, 'connect');
    joining.on('error', () => {
      // The daemon was killed, as some tests want it.
      bus = undefined;
    });
    joining.addMethodHandler((message: Message) => {
      calls.push(message.member);
      const handler = handlerOf(message.member);
      handler?.(message);
      return handler !== undefined;
    });
    bus = joining;
    if (name !== undefined) await joining.requestName(name, 0);
  };
  const send = (message: Message) => {
    if (bus !== undefined && socketOf(bus).writable) bus.send(message);
  };
  return {
    calls,
    join,
    reply(to, signature = '', body = []) {
      send(Message.newMethodReturn(to, signature, [...body]));
    },
    refuse(to, errorName, text) {
      const head = { type: MessageType.ERROR, replySerial: to.serial as unknown as string, destination: to.sender };
      send(new Message({ ...head, errorName, signature: 's', body: [text] }));
    },
    signal(path, iface, member, signature, body, destination) {
      const head = { type: MessageType.SIGNAL, path, interface: iface, member, ...(destination && { destination }) };
      send(new Message({ ...head, signature, body: [...body] }));
    },
    async leave() {
      const leaving = bus;
      bus = undefined;
      if (leaving === undefined || socketOf(leaving).destroyed) return;
      const gone = once(socketOf(leaving), 'close');
      leaving.disconnect();
      await gone;
    },
    raw(bytes) {
      if (bus !== undefined) socketOf(bus).write(bytes);
    },
  };
}

function socketOf(bus: MessageBus): Socket {
  return (bus as unknown as { _connection: { stream: Socket } })._connection.stream;
}
