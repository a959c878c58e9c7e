import { runInNewContext } from 'node:vm';
import { errnoOf, UpdaterError } from '../errors.ts';

/** A pattern such as `(a+)+$` takes for ever on thirty hostile letters: length alone does not bound it, time does. */
const TIME_LIMIT = 1000;

/**
 * The first group of the first match, with `^` and `$` at each line; undefined without a match. Throws HOST_PROBE_ROOM
 * when the pattern takes longer than a second, or is none. A context of its own is what lets V8 end a match that runs.
 */
export function firstGroup(pattern: string, text: string): string | undefined {
  const names: Record<string, unknown> = { pattern, text };
  try {
    const found: unknown = runInNewContext(`new RegExp(pattern, 'm').exec(text)?.[1]`, names, { timeout: TIME_LIMIT });
    return typeof found === 'string' ? found : undefined;
  } catch (cause) {
    const slow = errnoOf(cause) === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    const what = slow ? `takes longer than ${TIME_LIMIT} ms on this output` : 'is no regular expression';
    throw new UpdaterError('HOST_PROBE_ROOM', `the pattern ${pattern} ${what}`, {
      remedy: 'Write a simpler version.pattern: one group, and no repetition of a repetition.',
      cause,
    });
  }
}
