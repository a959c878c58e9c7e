/** A block device of which every write is recorded. */
import type { ChildProcess } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ended, lineOf, start } from '../container/process.ts';
import { parseLog, type Entry } from './block-log.ts';

export interface Recorder {
  /** /dev/loopN */
  readonly device: string;
  /** How long the log is by now: what a promise that was given before is held against. */
  length(): Promise<number>;
  /** What was written so far. */
  entries(): Promise<readonly Entry[]>;
  /** Waits until nobody has the device mounted. */
  stop(): Promise<void>;
}

/** `directory` holds the disk, `disk.img`, and gets its log. */
export async function record(directory: string): Promise<Recorder> {
  const child = start(
    ['unshare', '--mount', '--propagation', 'private', '--', join(import.meta.dirname, 'recorder'), directory],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      // A process group of its own: Ctrl-C ends the test, and the test's end is what it waits for.
      detached: true,
    },
  );
  const device = await lineOf(child.stdout, /^\/dev\/loop/);
  if (device === undefined)
    throw new Error('no disk can be recorded: it needs root, /dev/fuse and loop devices (see above)');
  const log = join(directory, 'log');
  return {
    device,
    length: async () => (await stat(log)).size,
    entries: async () => parseLog(await readFile(log)),
    stop: () => stop(child),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  await ended(child);
}
