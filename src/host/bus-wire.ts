/**
 * One connection to a D-Bus daemon: calls that always settle, and signals. With bus-dial.ts the sole importer of dbus-next.
 *
 * Threat model: every local user may send this connection signals of any shape (the system bus allows it), so nothing that arrives may end
 * the process, and who sent it is for the listener to check (the daemon sets `sender`; it cannot be forged).
 *
 * dbus-next's connection layer is used, not its MessageBus. The latter keeps a call pending for ever when the bus dies, rejects into
 * nowhere when the daemon refuses Hello, answers a fault of ours with our stack, and loads an XML parser (28 ms instead of 56). With
 * plain messages no introspection is needed at all, and AddMatch is a call like any other, so it can be awaited before a job is asked
 * for: a fast JobRemoved would be lost otherwise.
 */
import type { Connection } from 'dbus-next/lib/connection.js';
import messageType from 'dbus-next/lib/message-type.js';
import variantType from 'dbus-next/lib/variant.js';
import type { Message } from 'dbus-next';
import type { Log } from './ports.ts';
import { UpdaterError } from '../errors.ts';
import { dial, guardParser } from './bus-dial.ts';
import { busFault, refusal, type ErrorReply } from './bus-errors.ts';

export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
  /** Milliseconds; the wire's own if left out. */
  readonly timeout?: number;
}

export type Reply = { readonly ok: true; readonly body: readonly unknown[] } | ErrorReply;

export interface Signal {
  /** The unique name of who sent it, or `org.freedesktop.DBus` for the daemon itself. */
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

export interface Listener {
  readonly signal: (signal: Signal) => void;
  /** Called once, after every pending call has been rejected. */
  readonly end: (why: UpdaterError) => void;
}

export interface Wire {
  /** Signals that come before are dropped: without a match rule they concern nobody. */
  listen(listener: Listener): void;
  /** An error reply is a value; a time-out or the loss of the bus rejects with HOST_BUS. */
  ask(call: Call): Promise<Reply>;
  /** Why the connection is over, or undefined while it lives. */
  ended(): UpdaterError | undefined;
  close(): Promise<void>;
}

export interface WireOptions {
  readonly address: string;
  /** Milliseconds that the connection, and each call, may take. */
  readonly timeout: number;
  readonly log: Pick<Log, 'warn'>;
}

export const DAEMON = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;

const METHOD_CALL = 1;
const METHOD_RETURN = 2;
const ERROR = 3;
const SIGNAL = 4;
const NO_REPLY_EXPECTED = 1;
/** setTimeout takes no more, and fires at once when given more. */
const LONGEST_TIMER = 2 ** 31 - 1;

interface Pending {
  readonly settle: (reply: Reply) => void;
  readonly fail: (error: UpdaterError) => void;
}

interface State {
  readonly options: WireOptions;
  readonly connection: Connection;
  readonly pending: Map<number, Pending>;
  listener: Listener | undefined;
  serial: number;
  authenticated: boolean;
  lastError: unknown;
  ended: UpdaterError | undefined;
}

/** A value of D-Bus type `v`, to be put into a call's body. */
export function variant(signature: string, value: unknown): unknown {
  return new variantType.Variant(signature, value);
}

/** The plain value behind variants, at any depth. */
export function plain(value: unknown): unknown {
  if (value instanceof variantType.Variant) return plain(value.value);
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

export async function openWire(options: WireOptions): Promise<Wire> {
  const state: State = {
    options,
    connection: dial(options.address),
    pending: new Map(),
    listener: undefined,
    serial: 0,
    authenticated: false,
    lastError: undefined,
    ended: undefined,
  };
  await greet(state);
  return {
    listen(listener) {
      state.listener = listener;
    },
    ask: (call) => ask(state, call),
    ended: () => state.ended,
    close: () => close(state),
  };
}

/** The longest wait that a timer can do; Infinity is a wait of 24 days. */
export function timer(ms: number, fire: () => void): NodeJS.Timeout {
  return setTimeout(fire, Math.min(Math.max(ms, 0), LONGEST_TIMER));
}

async function greet(state: State): Promise<void> {
  const { connection, options } = state;
  connection.on('message', (message: Message) => {
    receive(state, message);
  });
  const authenticated = new Promise<void>((resolve, reject) => {
    connection.stream.once('close', () => {
      const gone = busFault(`the connection to the system bus at ${options.address} is gone`, state.lastError);
      end(state, gone);
      reject(gone);
    });
    connection.once('connect', () => {
      // dbus-next puts its parser in place right after this event, and the next tick comes before it can be called.
      process.nextTick(() => {
        state.authenticated = true;
        guardParser(connection.stream, (error) => {
          fault(state, error);
        });
        resolve();
      });
    });
    connection.on('error', (error: unknown) => {
      fault(state, error);
    });
  });
  const limit = timer(options.timeout, () => {
    connection.stream.destroy(new Error(`no answer within ${options.timeout} ms`));
  });
  try {
    await authenticated;
    const reply = await ask(state, { ...DAEMON, member: 'Hello' });
    if (!reply.ok) throw refusal(reply, 'let us in', 'dbus.service');
  } catch (error) {
    connection.stream.destroy();
    throw error;
  } finally {
    clearTimeout(limit);
  }
}

/** An 'error' event is a fault of the socket (its 'close' follows), of authentication (nothing follows), or one unreadable message. */
function fault(state: State, error: unknown): void {
  const { stream } = state.connection;
  const first = state.lastError === undefined;
  state.lastError ??= error;
  if (stream.errored !== null) return;
  if (!state.authenticated) stream.destroy();
  // Once is enough: who sends such messages may send many, to fill the journal.
  else if (first)
    state.options.log.warn('a message on the system bus could not be read and is passed over', {
      cause: String(error),
    });
}

function ask(state: State, call: Call): Promise<Reply> {
  const { connection, pending, options } = state;
  if (state.ended !== undefined) return Promise.reject(state.ended);
  const { timeout = options.timeout, ...fields } = call;
  const serial = ++state.serial;
  return new Promise<Reply>((resolve, reject) => {
    const done = () => {
      clearTimeout(limit);
      pending.delete(serial);
    };
    const fail = (error: UpdaterError) => {
      done();
      reject(error);
    };
    const limit = timer(timeout, () => {
      fail(busFault(`${call.destination} did not answer ${call.member} within ${timeout} ms`, undefined));
    });
    const settle = (reply: Reply) => {
      done();
      resolve(reply);
    };
    pending.set(serial, { settle, fail });
    try {
      connection.message(new messageType.Message({ ...fields, body: [...(call.body ?? [])], serial }));
    } catch (cause) {
      fail(busFault(`cannot send ${call.member} on the system bus`, cause));
    }
  });
}

function receive(state: State, message: Message): void {
  const { pending, options, connection } = state;
  const waiting = pending.get(Number(message.replySerial));
  if (message.type === METHOD_RETURN) waiting?.settle({ ok: true, body: message.body });
  else if (message.type === ERROR)
    waiting?.settle({ ok: false, type: message.errorName, text: textOf(message.body[0]) });
  else if (message.type === SIGNAL) {
    guarded(options.log, () => {
      state.listener?.signal(message);
    });
  } else if (message.type === METHOD_CALL && (message.flags & NO_REPLY_EXPECTED) === 0) {
    // Nobody has reason to call us, but who does must not be left waiting.
    const reply = {
      type: ERROR,
      destination: message.sender,
      replySerial: message.serial as unknown as string,
      serial: ++state.serial,
    };
    connection.message(new messageType.Message({ ...reply, errorName: 'org.freedesktop.DBus.Error.UnknownMethod' }));
  }
}

/** Runs a listener: its fault is logged, and stays away from the other listeners and from the sender. */
export function guarded(log: Pick<Log, 'warn'>, listener: () => void): void {
  try {
    listener();
  } catch (error) {
    log.warn('a listener on the system bus failed', {
      cause: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function end(state: State, why: UpdaterError): void {
  if (state.ended !== undefined) return;
  state.ended = why;
  for (const { fail } of [...state.pending.values()]) fail(why);
  guarded(state.options.log, () => {
    state.listener?.end(why);
  });
}

async function close(state: State): Promise<void> {
  const { stream } = state.connection;
  end(state, busFault('the connection to the system bus was closed by us', undefined));
  if (stream.destroyed) return;
  await new Promise<void>((resolve) => {
    stream.once('close', () => {
      resolve();
    });
    stream.end(() => {
      stream.destroy();
    });
  });
}
