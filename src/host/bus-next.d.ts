/** The parts of dbus-next below its MessageBus, for which the package ships no types. */
declare module 'dbus-next/lib/connection.js' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';
  import type { Message } from 'dbus-next';

  export interface Connection extends EventEmitter {
    readonly stream: Socket;
    message(message: Message): void;
  }
  export default function createConnection(options: { busAddress: string; authMethods: readonly string[] }): Connection;
}

declare module 'dbus-next/lib/message-type.js' {
  import type { Message } from 'dbus-next';

  const exported: { readonly Message: typeof Message };
  export default exported;
}

declare module 'dbus-next/lib/variant.js' {
  import type { Variant } from 'dbus-next';

  const exported: { readonly Variant: typeof Variant };
  export default exported;
}
