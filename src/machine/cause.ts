/**
 * Why a transaction was left, where its ledger could not say so: a note on /run that the settling run takes into the ledger, and
 * that whoever asked reads.
 * Without it a full disk would look like a killed updater, and the second one would quarantine the version (promise 9). It
 * is a memory and decides nothing else; a reboot may lose it.
 */
import { readOrEmpty } from '../activation/read-or-empty.ts';
import { CODES } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import type { NodeLayout } from '../layout.ts';
import type { Failure } from './state.ts';

interface Note {
  /** The transaction, or the request that led to none. */
  readonly tx: string;
  readonly failure: Failure;
}

/** What stopped a transaction first stays, also when settling it fails in its turn. */
export async function leaveCause(note: Note, layout: NodeLayout, files: Files): Promise<void> {
  if ((await readCause(note.tx, layout)) !== undefined) return;
  await files.mark(layout.causeMark, JSON.stringify(note));
}

/** Undefined when no cause of this transaction was left, or it is of no use. */
export async function readCause(tx: string, layout: NodeLayout): Promise<Failure | undefined> {
  const note = parse(await readOrEmpty(layout.causeMark));
  return note?.tx === tx ? note.failure : undefined;
}

/** A full /run cuts it short; then there is no note. */
function parse(text: string): Note | undefined {
  try {
    const { tx, failure } = (JSON.parse(text) ?? {}) as Partial<Note>;
    return tx !== undefined && failure !== undefined && failure.code in CODES ? { tx, failure } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
