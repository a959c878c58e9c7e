/** The bandwidth limit: after each batch, a pause for as long as it should have taken. */
import type { Clock } from '../host/ports.ts';

/**
 * Hands `body` on at `bytesPerSecond` at most, on average over a batch and its pause; 0 or undefined: as it comes. A server
 * that is slower earns no credit, so that no burst follows.
 * @throws what the body throws, and `signal`'s reason when it ends a pause
 */
export async function* atMost(
  bytesPerSecond: number | undefined,
  body: AsyncIterable<Buffer>,
  clock: Pick<Clock, 'monotonic' | 'wait'>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (bytesPerSecond === undefined || bytesPerSecond === 0) {
    yield* body;
    return;
  }
  let since = clock.monotonic();
  for await (const batch of body) {
    const due = (batch.length * 1000) / bytesPerSecond;
    yield batch;
    const took = Number(clock.monotonic() - since) / 1000;
    if (took < due) await clock.wait(due - took, signal);
    since = clock.monotonic();
  }
}
