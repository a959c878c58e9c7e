import { join } from 'node:path';
import { ended, lineOf, start } from '../container/process.ts';

export interface Scratch extends AsyncDisposable {
  /** A directory in memory. */
  readonly directory: string;
}

/** It is removed at dispose, or when this process dies. */
export async function makeScratch(): Promise<Scratch> {
  const child = start([join(import.meta.dirname, 'scratch')], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const directory = await lineOf(child.stdout, /^\//);
  if (directory === undefined) throw new Error('there is no memory for the disks: see /dev/shm');
  return {
    directory,
    [Symbol.asyncDispose]: async () => {
      child.stdin?.end();
      await ended(child);
    },
  };
}
