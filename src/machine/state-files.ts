import { readFile } from 'node:fs/promises';
import { diskError, errnoOf } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import type { NodeLayout } from '../layout.ts';
import type { Gate } from '../policy/decide.ts';
import type { Version } from '../release.ts';
import type { Failure } from './state.ts';

/** check.json: what the last look at the source said. For `status` and `why`; nothing is decided from it but the due time. */
export interface CheckState {
  readonly schema: 1;
  /** Milliseconds since the epoch of the last attempt, and of the last one that got an answer. */
  readonly at: number;
  readonly answered?: number;
  /** Of the mirrors that served the manifest that is kept, by URL. */
  readonly etags?: Readonly<Record<string, string>>;
  readonly offered?: Version;
  readonly install?: boolean;
  readonly gates?: readonly Gate[];
  /** What the publisher asks of all nodes; `offered` is what this one may have. */
  readonly minimum?: Version;
  readonly suggested?: Version;
  /** Milliseconds since the epoch at which the manifest goes out of date. */
  readonly expires?: number;
  readonly withdrawn?: readonly Version[];
  /** Why each was withdrawn, in its publisher's words. */
  readonly withdrawnNotes?: Readonly<Record<string, string>>;
  /** What stops nothing yet: what goes out of date, a mirror or a key set that was refused. */
  readonly warnings?: readonly Failure[];
  readonly failure?: Failure;
}

/** Undefined when there is none yet, or when it is of no use: it is only a memory. */
export async function readCheckState(layout: NodeLayout): Promise<CheckState | undefined> {
  let text: string;
  try {
    text = await readFile(layout.checkState, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, 'read', layout.checkState);
  }
  return parse(text);
}

export async function writeCheckState(state: CheckState, layout: NodeLayout, files: Files): Promise<void> {
  await files.makeDirectory(layout.state, 0o755);
  await files.replace(layout.checkState, `${JSON.stringify(state)}\n`, 0o644);
}

function parse(text: string): CheckState | undefined {
  try {
    const value = JSON.parse(text) as { readonly schema?: unknown; readonly at?: unknown } | null;
    return value?.schema === 1 && typeof value.at === 'number' ? (value as CheckState) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
