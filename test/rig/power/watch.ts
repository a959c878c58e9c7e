/**
 * Notes, while a node is at work, what somebody outside can know: when the ledger has a new record, the one before it has been
 * reported as durable.
 */
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerRecord } from '../../../src/machine/record.ts';
import type { Mark } from './checker.ts';
import type { Recorder } from './recorder.ts';

export interface Watch {
  readonly marks: readonly Mark[];
  /** What is said from now on to be going on. Nothing is at work by now. */
  phase(name: string): Promise<void>;
  /** The command was answered: this is committed. The last record may still be on its way to the disk. */
  committed(current: string): Promise<void>;
  end(): Promise<void>;
}

const EVERY = 4;

export function watchLedger(path: string, recorder: Recorder): Watch {
  const marks: Mark[] = [];
  const ending = new AbortController();
  let phase = '';
  let size = 0;
  let records: readonly string[] = [];
  const mark = async (more: Pick<Mark, 'records' | 'current'>, label: string): Promise<void> => {
    marks.push({ ...more, length: await recorder.length(), label: `${phase}: ${label}` });
  };
  const look = async (): Promise<void> => {
    const now = await sizeOf(path);
    if (now === size) return;
    size = now;
    const known = records.length;
    records = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
    for (let at = known; at < records.length; at++) await mark({ records: at }, labelOf(records[at]));
  };
  const watching = (async () => {
    while (!ending.signal.aborted) {
      await look();
      await delay(EVERY);
    }
  })();
  return {
    marks,
    async phase(name) {
      phase = name;
      await mark({ records: records.length }, 'begins');
    },
    async committed(current) {
      await look();
      await mark({ records: Math.max(0, records.length - 1), current }, `${current} is committed`);
    },
    async end() {
      ending.abort();
      await watching;
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

function labelOf(line = ''): string {
  const { entry } = JSON.parse(line) as LedgerRecord;
  return 'state' in entry ? `${entry.kind} ${entry.state}` : entry.kind;
}
