/** What the probe room has written: read as it grows, so that a look in a soak of days costs what is new since the last one. */
import { open } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { ProbeLine } from '../orders.ts';

/** A report longer than this is not read on: the room's program is not believed to be sane. */
const MAX_REPORT_BYTES = 16 * 1024 * 1024;

/**
 * The whole lines of one order that have come since the last call; a line that is still being written is left for the next.
 * Throws HOST_PROBE_ROOM for a report that is too large, or is none.
 */
export function followReport(path: string, id: string): () => Promise<readonly ProbeLine[]> {
  let from = 0;
  return async () => {
    const bytes = await readFrom(path, from);
    const end = bytes.lastIndexOf('\n') + 1;
    from += end;
    return bytes
      .toString('utf8', 0, end)
      .split('\n')
      .filter((line) => line !== '')
      .map(parseLine)
      .filter((line) => line.id === id);
  };
}

/** Nothing where there is no file yet. */
async function readFrom(path: string, from: number): Promise<Buffer> {
  await using file = await ifThere(open(path, 'r'), undefined);
  if (file === undefined) return Buffer.alloc(0);
  const { size } = await file.stat();
  if (size > MAX_REPORT_BYTES) {
    throw new UpdaterError('HOST_PROBE_ROOM', `${path} is larger than ${MAX_REPORT_BYTES} bytes`, {
      remedy: 'Look for an exec probe that never ends.',
    });
  }
  const bytes = Buffer.alloc(Math.max(0, size - from));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
  return bytes.subarray(0, bytesRead);
}

function parseLine(line: string): ProbeLine {
  try {
    const value = JSON.parse(line) as Partial<ProbeLine> | null;
    if (typeof value?.id === 'string' && typeof value.kind === 'string') return value as ProbeLine;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UpdaterError('HOST_PROBE_ROOM', `The probe room wrote a line that is no report: ${line.slice(0, 200)}`, {
    remedy: 'Look for a program that writes into the report of the probe room in its place.',
  });
}
