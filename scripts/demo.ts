/** Plays the story of test/rig/demo/; scripts/demo is what people type. Exit status 1 when something does not hold. */
import { play } from '../test/rig/demo/story.ts';

/** Longer than any run: what takes so long is stuck. */
const LIMIT = 20 * 60_000;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // `on`, not `once`: a second Ctrl-C must not cut the cleaning up short.
  process.on(signal, () => {
    stop.abort(new Error(`interrupted by ${signal}`));
  });
}
setTimeout(() => {
  stop.abort(new Error(`not done after ${String(LIMIT / 60_000)} minutes`));
}, LIMIT).unref();

const began = Date.now();
try {
  await play(process.stdout, stop.signal);
  console.log(`\nThe demo took ${String(Math.round((Date.now() - began) / 1000))} s and has left nothing behind.`);
  process.exit(0);
} catch (error) {
  const cause: unknown = stop.signal.aborted ? stop.signal.reason : error;
  console.error(`\ndemo: ${cause instanceof Error ? cause.message : String(cause)}`);
  process.exit(stop.signal.aborted ? 130 : 1);
}
