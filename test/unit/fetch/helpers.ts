/** A fetch room in a temporary directory, with real HTTP, a real disk, and waits that take no time. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { durableFiles } from '../../../src/host/files.ts';
import { runFetchRoom } from '../../../src/fetch/room.ts';
import type { FetchDeps } from '../../../src/fetch/context.ts';
import type { FetchFile, FetchFileReport, FetchOrder, FetchReport } from '../../../src/orders.ts';
import type { FetchSettings } from '../../../src/settings.ts';

export interface Room extends AsyncDisposable {
  readonly directory: string;
  /** Milliseconds of each back-off that was waited for. */
  readonly waits: readonly number[];
  run(order: Partial<FetchOrder>, deps?: Partial<FetchDeps>): Promise<{ exit: number; report: FetchReport }>;
  /** An order for one file called `file` with a generous limit. */
  fetch(
    urls: readonly string[],
    more?: Partial<FetchFile>,
    settings?: Partial<FetchSettings>,
  ): Promise<FetchFileReport>;
  content(name?: string): Promise<Buffer>;
  names(): Promise<readonly string[]>;
}

export const SETTINGS: FetchSettings = {
  connectTimeout: 5_000,
  headersTimeout: 5_000,
  minimumSpeed: 1024,
  slowWindow: 20_000,
  totalTimeout: 20_000,
};

export const MIB = 1024 * 1024;

export async function makeRoom(): Promise<Room> {
  const directory = await mkdtemp(join(tmpdir(), 'fetch-'));
  const waits: number[] = [];
  const usual = usualDeps(waits);
  const run: Room['run'] = async (order, deps) => {
    const whole: FetchOrder = { schema: 1, id: 'test', insecureHttp: false, settings: SETTINGS, files: [], ...order };
    const exit = await runFetchRoom(whole, directory, { ...usual, ...deps });
    const text = await readFile(join(directory, 'fetch-report.json'), 'utf8');
    return { exit, report: JSON.parse(text) as FetchReport };
  };
  return {
    directory,
    waits,
    run,
    fetch: async (urls, more = {}, settings = {}) => {
      const files = [{ name: 'file', urls, limit: 64 * MIB, ...more }];
      const { report } = await run({ files, settings: { ...SETTINGS, ...settings } });
      return only(report);
    },
    content: (name = 'file') => readFile(join(directory, name)),
    names: async () => (await readdir(directory)).sort(),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

export function only(report: FetchReport): FetchFileReport {
  const [file] = report.files;
  if (file === undefined) throw new Error('the report is empty');
  return file;
}

/** The failure's code and message, or a test failure when it did not fail. */
export function failed(report: FetchFileReport): { code: string; message: string; retryAfter?: number } {
  if (report.outcome !== 'failed') throw new Error(`not failed: ${JSON.stringify(report)}`);
  return report;
}

export async function modeOf(path: string): Promise<{ mode: number; nlink: number }> {
  const { mode, nlink } = await stat(path);
  return { mode: mode & 0o7777, nlink };
}

function usualDeps(waits: number[]): FetchDeps {
  return {
    clock: {
      now: () => Date.now(),
      monotonic: () => process.hrtime.bigint() / 1000n,
      wait: (ms, signal) => {
        waits.push(ms);
        return signal?.aborted === true ? Promise.reject(signal.reason as Error) : Promise.resolve();
      },
    },
    files: durableFiles(() => Promise.reject(new Error('the fetch room runs no program'))),
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore, milestone: () => Promise.resolve() },
    random: () => 0.5,
    signal: new AbortController().signal,
    version: '0.0.0',
    environment: {},
  };
}

function ignore(): void {
  // The report says the same; what is logged is nothing that these tests ask about.
}
