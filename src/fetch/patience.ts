/**
 * Servers that asked to be left alone (429 or 503 with Retry-After, F019), remembered from run to run: a run an hour would
 * come back too early. Kept in the cache directory, which is this room's own; what is lost or torn costs one request.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { UpdaterError, errnoOf } from '../errors.ts';
import { LONGEST_RETRY_AFTER, LONGEST_WAIT } from './retry.ts';
import { shown } from './wording.ts';
import type { FetchDeps } from './context.ts';
import type { Failure } from './failure.ts';

/** No file of an order can have this name: theirs begin with a letter or digit. */
export const PATIENCE_NAME = '.retry-after.json';

/** Of more servers than an order has, the ones to be left alone the longest are remembered. */
const MOST_SERVERS = 64;

export interface Patience {
  /** Why `url` is not asked now; undefined when it may be. */
  refusal(url: URL): Failure | undefined;
  /** Takes note of what the server of `url` asked for, if that is longer than a run waits. @throws UpdaterError DISK_* */
  remember(url: URL, retryAfter: number | undefined): Promise<void>;
}

const schema = z.record(z.string(), z.int());

export async function openPatience(directory: string, deps: Pick<FetchDeps, 'clock' | 'files'>): Promise<Patience> {
  const path = join(directory, PATIENCE_NAME);
  const until = new Map(Object.entries(await read(path)));
  const left = (origin: string): number => {
    const ms = (until.get(origin) ?? 0) - deps.clock.now();
    // More than anybody may ask for: the clock was set back since.
    return ms > LONGEST_RETRY_AFTER ? 0 : ms;
  };
  return {
    refusal: ({ origin, host }) => {
      const ms = left(origin);
      return ms > 0 ? tooEarly(host, ms, deps.clock.now() + ms, path) : undefined;
    },
    remember: async ({ origin }, retryAfter = 0) => {
      if (retryAfter <= LONGEST_WAIT) return;
      until.set(origin, deps.clock.now() + retryAfter);
      const live = [...until].filter(([name]) => left(name) > 0).sort(([, a], [, b]) => b - a);
      await deps.files.replace(path, `${JSON.stringify(Object.fromEntries(live.slice(0, MOST_SERVERS)))}\n`, 0o640);
    },
  };
}

async function read(path: string): Promise<Readonly<Record<string, number>>> {
  try {
    const known = schema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return known.success ? known.data : {};
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return {};
    throw error;
  }
}

function tooEarly(host: string, ms: number, until: number, path: string): Failure {
  const minutes = String(Math.ceil(ms / 60_000));
  const text = `${shown(host)} asked to be left alone, for ${minutes} more min; it is not asked before`;
  const error = new UpdaterError('SOURCE_HTTP_STATUS', `${text} ${new Date(until).toISOString()}.`, {
    remedy: `Nothing to do: the next run after that asks again. To ask at once all the same: rm ${path}`,
  });
  return { error, retry: 'elsewhere', retryAfter: ms };
}
