/** The test's side of `agent`: orders in, answers out, one after the other. */
import type { Socket } from 'node:net';
import type { Result } from '../container/process.ts';

export interface Order {
  readonly script: string;
  readonly input?: string | Uint8Array;
  /** Seconds, then it is ended and its status is 124. */
  readonly timeout: number;
}

/** Rejects when the machine goes down before it has answered. */
export type Agent = (order: Order) => Promise<Result>;

interface Pending {
  readonly id: number;
  readonly resolve: (result: Result) => void;
}

export function connectAgent(port: Socket, down: Promise<Error>): Agent {
  let last = 0;
  let pending: Pending | undefined;
  let received = Buffer.alloc(0);
  let queue: Promise<unknown> = Promise.resolve();
  port.on('error', () => port.destroy()); // the end of the machine tells the same
  port.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const answer = answerIn(received);
    if (answer === undefined) return;
    received = received.subarray(answer.length);
    // What an order before a pause left behind is nobody's.
    if (answer.id === pending?.id) pending.resolve(answer.result);
  });
  const give = async ({ script, input = '', timeout }: Order): Promise<Result> => {
    const answer = Promise.withResolvers<Result>();
    pending = { id: ++last, resolve: answer.resolve };
    const bytes = Buffer.from(input);
    port.write(`${last} ${timeout} ${Buffer.byteLength(script)} ${bytes.length}\n${script}`);
    port.write(bytes);
    const result = await Promise.race([answer.promise, down]);
    if (result instanceof Error) throw result;
    return result;
  };
  return (order) => {
    const result = queue.then(() => give(order));
    queue = result.catch(() => undefined); // its own caller hears of it
    return result;
  };
}

function answerIn(bytes: Buffer): { id: number; length: number; result: Result } | undefined {
  const end = bytes.indexOf('\n');
  if (end < 0) return undefined;
  const [id = 0, status = 0, out = 0, err = 0] = bytes.toString('utf8', 0, end).split(' ').map(Number);
  const [first, second, length] = [end + 1, end + 1 + out, end + 1 + out + err];
  if (bytes.length < length) return undefined;
  const result = {
    status,
    stdout: bytes.toString('utf8', first, second),
    stderr: bytes.toString('utf8', second, length),
  };
  return { id, length, result };
}
