/** Making dbus-next's connection, and keeping its parser from ending the process (the threat model is in bus-wire.ts). */
import type { Socket } from 'node:net';
import createConnection, { type Connection } from 'dbus-next/lib/connection.js';
import { busFault } from './bus-errors.ts';

export function dial(address: string): Connection {
  try {
    // `socket=` makes dbus-next use node:net at once; `path=` would first try usocket, a native module that crashes this Node.
    const busAddress = address.replace(/(^|;)unix:path=/g, '$1unix:socket=');
    // EXTERNAL alone: the other ways to authenticate read the user's home directory, or prove nothing.
    return createConnection({ busAddress, authMethods: ['EXTERNAL'] });
  } catch (cause) {
    throw busFault(`cannot understand the address of the system bus: ${address}`, cause);
  }
}

/**
 * dbus-next parses inside the socket's 'readable' listener, where an exception would end the process; any local user could send such a
 * message (a descriptor's index without a descriptor). The message is consumed before it is parsed, so reading on skips just that one.
 */
export function guardParser(stream: Socket, fault: (error: unknown) => void): void {
  for (const listener of stream.listeners('readable')) {
    const guarded = () => {
      for (;;) {
        const left = stream.readableLength;
        try {
          listener.call(stream);
          return;
        } catch (error) {
          fault(error);
          if (stream.readableLength !== left) continue;
          stream.destroy(new Error('the stream of messages is broken', { cause: error }));
          return;
        }
      }
    };
    stream.on('readable', guarded);
    stream.removeListener('readable', listener as () => void);
  }
}
