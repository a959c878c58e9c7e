/**
 * One request and its answer, on undici's dispatch interface. undici's own body stream drops what it has buffered when
 * the connection breaks, which would then be fetched twice; here every byte that arrived is handed out before the error.
 * They are gathered in two buffers that take turns: one is filled while the other is written. Kept as they come, the
 * chunks of a socket would live until the next full garbage collection, and memory would grow with the file.
 */
import type { Dispatcher } from 'undici';
import type { Clock } from '../host/ports.ts';

/** Bytes that make a batch, and at which the socket is paused until they are taken. */
const BATCH = 256 * 1024;
/** Interim answers (1xx) before the answer: each begins the time-out for headers anew, and an honest server has one or two. */
const MOST_INTERIM = 4;
/** One read of a socket, which may come on top of an almost full batch. */
const ONE_READ = 64 * 1024;

/**
 * Is told of each chunk as it arrives, with the microseconds that the server had us wait for it. An error that it
 * returns ends the exchange; the chunk is then not part of the body.
 */
export type Watch = (bytes: number, waited: bigint) => Error | undefined;

export interface Reply {
  readonly statusCode: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  /** The body, once, in batches; each is valid until the next one is asked for. Nothing is read before. */
  read(watch: Watch): AsyncIterable<Buffer>;
  /** Ends the exchange and its connection: what the server still wants to say is not waited for. */
  giveUp(): void;
}

type Controller = Dispatcher.DispatchController;

/** What has arrived and was not taken yet. */
interface Inbox {
  /** Where the next chunk goes, and how much is in it. */
  filling: Buffer;
  bytes: number;
  /** The other buffer: free, or being written. */
  spare: Buffer;
  /** Interim answers so far. */
  interim: number;
  ended: boolean;
  error: Error | undefined;
  watch: Watch;
  /** When the waiting for the next chunk began. */
  since: bigint;
  /** Lets the reader go on. */
  wake: () => void;
}

/** Resolves when the headers are there. Rejects with the errors of undici, TLS and DNS, or the signal's reason. */
export function exchange(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  clock: Pick<Clock, 'monotonic'>,
  signal: AbortSignal,
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const inbox = emptyInbox();
  const end = (error?: Error): void => {
    signal.removeEventListener('abort', stop);
    inbox.ended = true;
    inbox.error = error;
    inbox.wake();
    // After the headers this changes nothing: the promise is settled.
    if (error !== undefined) reject(error);
  };
  let running: Controller | undefined;
  // While the connection is being made there is nothing to abort; the caller is let go all the same.
  const stop = (): void => {
    if (running === undefined) end(reasonOf(signal));
    else running.abort(reasonOf(signal));
  };
  signal.addEventListener('abort', stop);
  dispatcher.dispatch(options, {
    onRequestStart: (controller) => {
      running = controller;
      if (inbox.ended || signal.aborted) controller.abort(reasonOf(signal));
    },
    onResponseStart: (controller, statusCode, headers) => {
      if (isInterim(statusCode, inbox, controller)) return;
      controller.pause();
      resolve({
        statusCode,
        headers,
        read: (watch) => read(inbox, controller, clock, watch),
        giveUp: () => {
          giveUp(controller);
        },
      });
    },
    onResponseData: (controller, chunk) => {
      take(inbox, controller, clock, chunk);
    },
    onResponseEnd: () => {
      end();
    },
    onResponseError: (_controller, error) => {
      end(error);
    },
  });
  return promise;
}

function take(inbox: Inbox, controller: Controller, clock: Pick<Clock, 'monotonic'>, chunk: Buffer): void {
  const now = clock.monotonic();
  const objection = inbox.watch(chunk.length, now - inbox.since);
  inbox.since = now;
  if (objection !== undefined) {
    controller.abort(objection);
    return;
  }
  // A peer that ends lets undici hand out all it has, pause or not.
  if (inbox.bytes + chunk.length > inbox.filling.length) grow(inbox, chunk.length);
  inbox.bytes += chunk.copy(inbox.filling, inbox.bytes);
  if (inbox.bytes < BATCH) return;
  controller.pause();
  inbox.wake();
}

async function* read(
  inbox: Inbox,
  controller: Controller,
  clock: Pick<Clock, 'monotonic'>,
  watch: Watch,
): AsyncGenerator<Buffer> {
  inbox.watch = watch;
  for (;;) {
    letMoreCome(inbox, controller, clock);
    if (inbox.bytes < BATCH && !inbox.ended) {
      await new Promise<void>((resolve) => {
        inbox.wake = resolve;
      });
    }
    const batch = inbox.filling.subarray(0, inbox.bytes);
    [inbox.filling, inbox.spare, inbox.bytes] = [inbox.spare, inbox.filling, 0];
    // The inbox fills again while this batch is written.
    letMoreCome(inbox, controller, clock);
    if (batch.length > 0) yield batch;
    else if (inbox.error !== undefined) throw inbox.error;
    else if (inbox.ended) return;
  }
}

function letMoreCome(inbox: Inbox, controller: Controller, clock: Pick<Clock, 'monotonic'>): void {
  if (!controller.paused || inbox.ended || inbox.bytes >= BATCH) return;
  // The time in which the socket was paused, on our disk's account, is not the server's.
  inbox.since = clock.monotonic();
  controller.resume();
}

function emptyInbox(): Inbox {
  const [filling, spare] = [Buffer.alloc(0), Buffer.alloc(0)];
  return {
    filling,
    bytes: 0,
    spare,
    interim: 0,
    ended: false,
    error: undefined,
    watch: letPass,
    since: 0n,
    wake: idle,
  };
}

function grow(inbox: Inbox, more: number): void {
  const larger = Buffer.allocUnsafe(Math.max(BATCH + ONE_READ, inbox.bytes + more));
  inbox.filling.copy(larger, 0, 0, inbox.bytes);
  inbox.filling = larger;
}

function giveUp(controller: Controller): void {
  if (!controller.aborted) controller.abort(new Error('the body is not wanted'));
}

function isInterim(statusCode: number, inbox: Inbox, controller: Controller): boolean {
  if (statusCode >= 200) return false;
  if (++inbox.interim > MOST_INTERIM) {
    controller.abort(Object.assign(new Error('interim answers alone'), { code: 'ERR_NEVER_FINAL' }));
  }
  return true;
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('stopped');
}

function letPass(): undefined {
  return undefined;
}

function idle(): void {
  // Nobody waits yet.
}
