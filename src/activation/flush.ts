/**
 * Flushes what is being unpacked while it is being unpacked, so that the one flush that counts, at the end, has little left
 * to do: the disk works beside the decoder instead of after it.
 */
import type { Files } from '../host/ports.ts';

export interface EarlyFlush {
  /** To be told of what was written. Never waits. */
  readonly wrote: (bytes: number) => void;
  /** Waits for the flush that is under way. Gives the error of one that failed. */
  end(): Promise<Error | undefined>;
}

const EACH = 64 * 1024 * 1024;

/** One flush at a time, of the file system that holds `path`, whenever enough was written since the last began. */
export function earlyFlush(path: string, files: Pick<Files, 'syncFileSystem'>): EarlyFlush {
  let written = 0;
  let running: Promise<void> | undefined;
  // The kernel reports a lost write once: the last flush would no longer hear of it.
  let failure: Error | undefined;
  const flush = async (): Promise<void> => {
    try {
      await files.syncFileSystem(path);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    running = undefined;
  };
  return {
    wrote: (bytes) => {
      written += bytes;
      if (written < EACH || running !== undefined || failure !== undefined) return;
      written = 0;
      running = flush();
    },
    end: async () => {
      await running;
      return failure;
    },
  };
}
