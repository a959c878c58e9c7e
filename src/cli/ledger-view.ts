import { UpdaterError } from '../errors.ts';
import { parseLedger, readOrEmpty } from '../machine/ledger.ts';
import type { LedgerRecord } from '../machine/record.ts';

export interface LedgerView {
  /** All, or those before the damage. */
  readonly records: readonly LedgerRecord[];
  /** HOST_LEDGER: what is wrong with the rest, and what to do. */
  readonly damage?: UpdaterError;
}

/** For looking only: what can still be read of a damaged ledger is shown, beside what is wrong with it. */
export async function viewLedger(path: string): Promise<LedgerView> {
  let bytes: Buffer;
  try {
    bytes = await readOrEmpty(path);
  } catch (error) {
    if (error instanceof UpdaterError) return { records: [], damage: error };
    throw error;
  }
  const { damage, records } = attempt(bytes, path);
  return damage === undefined ? { records } : { records: goodPart(bytes, path), damage };
}

function attempt(bytes: Buffer, path: string): LedgerView & { readonly lines: number } {
  try {
    const { records, lines } = parseLedger(bytes, path);
    return { records, lines };
  } catch (error) {
    if (error instanceof UpdaterError) return { records: [], lines: 0, damage: error };
    throw error;
  }
}

/** The chain holds up to some line and never after it, so that line is found by halving. */
function goodPart(bytes: Buffer, path: string): readonly LedgerRecord[] {
  const ends = [0];
  for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) ends.push(at + 1);
  let low = 0;
  let high = ends.length;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const { lines, damage } = attempt(bytes.subarray(0, ends[middle]), path);
    // A last line that is no JSON passes for a torn tail.
    if (damage === undefined && lines === middle) low = middle;
    else high = middle;
  }
  return attempt(bytes.subarray(0, ends[low]), path).records;
}
