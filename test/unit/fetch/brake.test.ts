import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { atMost } from '../../../src/fetch/brake.ts';
import { hostClock } from '../../../src/host/clock.ts';
import { serve } from '../../rig/http/misbehave.ts';
import { startServer } from '../../rig/http/server.ts';
import { MIB, SETTINGS, failed, makeRoom, only } from './helpers.ts';

/** A clock that moves by what is waited for, and by what the server takes. */
function virtualClock() {
  let ms = 0;
  return {
    clock: {
      now: () => ms,
      monotonic: () => BigInt(Math.round(ms * 1000)),
      wait: (wait: number, signal?: AbortSignal) => {
        signal?.throwIfAborted();
        ms += wait;
        return Promise.resolve();
      },
    },
    pass: (wait: number) => (ms += wait),
    elapsed: () => ms,
  };
}

const never = new AbortController().signal;

it('bytes are handed on at the limit, or as slowly as they come [S1.11]', async () => {
  const batches = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 400_000 }), takes: fc.integer({ min: 0, max: 9000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(batches, fc.integer({ min: 16_384, max: 10 * MIB }), async (all, limit) => {
      const virtual = virtualClock();
      async function* body(): AsyncGenerator<Buffer> {
        for (const { bytes, takes } of all) {
          virtual.pass(takes);
          yield await Promise.resolve(Buffer.alloc(bytes));
        }
      }
      let came = 0;
      for await (const batch of atMost(limit, body(), virtual.clock, never)) came += batch.length;
      const fair = all.reduce((sum, { bytes, takes }) => sum + Math.max(takes, (bytes * 1000) / limit), 0);
      expect(came).toBe(all.reduce((sum, { bytes }) => sum + bytes, 0));
      expect(Math.abs(virtual.elapsed() - fair)).toBeLessThan(1 + all.length);
    }),
    { numRuns: 50 },
  );
});

it('a server is not called slow for our own pauses [S1.11] [F005]', async () => {
  const body = randomBytes(MIB);
  await using room = await makeRoom();
  await using server = await startServer(serve(body, '"v1"'));
  const files = [{ name: 'file', urls: [server.origin], limit: body.length }];
  const settings = { ...SETTINGS, maximumSpeed: MIB / 2, minimumSpeed: (MIB * 3) / 4, slowWindow: 500 };
  const { report } = await room.run({ files, settings }, { clock: hostClock() });
  expect(only(report)).toMatchObject({ outcome: 'fetched' });
  expect((await room.content()).equals(body)).toBe(true);
});

it('a download takes as long as the limit says [S1.11]', async () => {
  const body = randomBytes(2 * MIB);
  const virtual = virtualClock();
  await using room = await makeRoom();
  await using server = await startServer(serve(body, '"v1"'));
  const files = [{ name: 'file', urls: [server.origin], limit: body.length }];
  const settings = { ...SETTINGS, maximumSpeed: 16 * 1024, minimumSpeed: 0 };
  const { report } = await room.run({ files, settings }, { clock: virtual.clock });
  expect(only(report)).toMatchObject({ outcome: 'fetched' });
  expect((await room.content()).equals(body)).toBe(true);
  expect(Math.round(virtual.elapsed() / 1000)).toBe(128);
});

it('a run that is stopped in such a pause keeps what has come [S1.11]', async () => {
  const body = randomBytes(2 * MIB);
  await using room = await makeRoom();
  await using server = await startServer(serve(body, '"v1"'));
  const stop = new AbortController();
  const clock = {
    ...virtualClock().clock,
    wait: (_ms: number, signal?: AbortSignal) => {
      stop.abort(new Error('SIGTERM'));
      return Promise.reject(signal?.reason as Error);
    },
  };
  const files = [{ name: 'file', urls: [server.origin], limit: body.length }];
  const settings = { ...SETTINGS, maximumSpeed: 16 * 1024 };
  const { report } = await room.run({ files, settings }, { clock, signal: stop.signal });
  expect(failed(only(report)).code).toBe('SOURCE_FETCH_DIED');
  expect((await room.content('file.part')).length).toBeGreaterThan(0);
});
