/**
 * Cuts the bytes of a tar archive into entries and bodies, in one pass without holding either: headers are looked at,
 * bodies are handed on as slices of what came in.
 */
import { LIMITS } from '../manifest.ts';
import { BLOCK, decodeBlock, isZeroBlock } from './block.ts';
import type { HeaderBlock } from './block.ts';
import { describe, entryOf } from './entry.ts';
import type { Described, Entry } from './entry.ts';
import { textOf } from './names.ts';
import { checkGlobalRecords, entryRecords } from './pax.ts';
import type { PaxRecords } from './pax.ts';
import { malformed } from './refusal.ts';

/** An extension header as it came: its type flag and its body without padding. */
export interface Extension {
  readonly type: string;
  readonly body: Buffer;
}

export interface Found {
  readonly entry: Entry;
  readonly described: Described;
  /** Only valid during the call. */
  readonly block: Buffer;
  readonly extensions: readonly Extension[];
}

export interface Handlers {
  /** Once for each entry, before its body. */
  readonly found: (found: Found) => void;
  /** Slices of the body of the file found last; none for an empty file. Only valid during the call. */
  readonly body: (bytes: Buffer) => void;
}

export interface Cutter {
  write(bytes: Buffer): void;
  /** Throws when the archive is not at its end. */
  end(): void;
}

/** GNU tar fills up to a record of 10 KiB, others to larger ones; more zeros than this are no padding. */
const PADDING_MAX = 1024 * 1024;
const EXTENSIONS = new Set(['x', 'g', 'L', 'K']);

type Phase = 'header' | 'body' | 'last-zero-block' | 'after-end';

interface State {
  readonly handlers: Handlers;
  phase: Phase;
  /** The beginning of a block whose end has not come yet. */
  partial: Buffer;
  /** Bytes of the body, then of its padding, that are still to come. */
  remaining: number;
  padding: number;
  afterEnd: number;
  /** The extension whose body is coming; undefined while the body is a file's. */
  gathering: { readonly type: string; readonly body: Buffer; filled: number } | undefined;
  /** Extensions that wait for their entry. */
  pending: Extension[];
  globals: number;
}

const NONE = Buffer.alloc(0);

export function cutter(handlers: Handlers): Cutter {
  const state: State = {
    handlers,
    phase: 'header',
    partial: NONE,
    remaining: 0,
    padding: 0,
    afterEnd: 0,
    gathering: undefined,
    pending: [],
    globals: 0,
  };
  return {
    write(bytes) {
      for (let at = 0; at < bytes.length;) at += take(state, bytes.subarray(at));
    },
    end() {
      if (state.phase !== 'after-end') throw malformed('it is cut short: the two zero blocks at its end are missing');
    },
  };
}

/** Takes what the phase can use from the front of `bytes`, and says how much that was. */
function take(state: State, bytes: Buffer): number {
  switch (state.phase) {
    case 'header':
    case 'last-zero-block':
      return takeBlock(state, bytes);
    case 'body':
      return state.remaining > 0 ? takeBody(state, bytes) : takePadding(state, bytes);
    case 'after-end':
      return takeAfterEnd(state, bytes);
  }
}

function takeBlock(state: State, bytes: Buffer): number {
  const needed = BLOCK - state.partial.length;
  const piece = bytes.subarray(0, needed);
  if (piece.length < needed) {
    state.partial = Buffer.concat([state.partial, piece]);
    return piece.length;
  }
  const block = state.partial.length === 0 ? piece : Buffer.concat([state.partial, piece]);
  state.partial = NONE;
  if (state.phase === 'header') takeHeader(state, block);
  else if (isZeroBlock(block)) state.phase = 'after-end';
  else throw malformed('something follows its end');
  return needed;
}

function takeHeader(state: State, block: Buffer): void {
  if (isZeroBlock(block)) {
    if (state.pending.length > 0) throw malformed('an extended header describes no entry');
    state.phase = 'last-zero-block';
    return;
  }
  const decoded = decodeBlock(block);
  if (EXTENSIONS.has(decoded.type)) takeExtensionHeader(state, decoded);
  else takeEntryHeader(state, decoded, block);
}

function takeExtensionHeader(state: State, { type, size }: HeaderBlock): void {
  if (size === 0 || size > LIMITS.paxBytes) throw malformed('an extended header is empty or too long');
  if (type === 'g' && ++state.globals > 1) throw malformed('it has more than one global header');
  checkSequence(state.pending, type);
  state.gathering = { type, body: Buffer.alloc(size), filled: 0 };
  expectBody(state, size);
}

function takeEntryHeader(state: State, decoded: HeaderBlock, block: Buffer): void {
  const extensions = state.pending;
  const described = describe(decoded, recordsOf(extensions));
  state.pending = [];
  state.handlers.found({ entry: entryOf(described), described, block, extensions });
  expectBody(state, described.size);
}

function expectBody(state: State, size: number): void {
  state.remaining = size;
  state.padding = (BLOCK - (size % BLOCK)) % BLOCK;
  state.phase = size === 0 ? 'header' : 'body';
}

function takeBody(state: State, bytes: Buffer): number {
  const body = bytes.subarray(0, state.remaining);
  state.remaining -= body.length;
  if (state.gathering === undefined) state.handlers.body(body);
  else gather(state, state.gathering, body);
  if (state.remaining === 0 && state.padding === 0) state.phase = 'header';
  return body.length;
}

function gather(state: State, gathering: NonNullable<State['gathering']>, bytes: Buffer): void {
  gathering.filled += bytes.copy(gathering.body, gathering.filled);
  if (gathering.filled < gathering.body.length) return;
  state.gathering = undefined;
  if (gathering.type === 'g') checkGlobalRecords(gathering.body);
  else state.pending.push({ type: gathering.type, body: gathering.body });
}

function takePadding(state: State, bytes: Buffer): number {
  const skipped = Math.min(state.padding, bytes.length);
  state.padding -= skipped;
  if (state.padding === 0) state.phase = 'header';
  return skipped;
}

function takeAfterEnd(state: State, bytes: Buffer): number {
  state.afterEnd += bytes.length;
  if (state.afterEnd > PADDING_MAX || !isZeroBlock(bytes)) throw malformed('something follows its end');
  return bytes.length;
}

/** Either one PAX header, or GNU's long link and long name, once each; then the entry. */
function checkSequence(pending: readonly Extension[], type: string): void {
  if (pending.length === 0) return;
  const isGnu = type === 'L' || type === 'K';
  const onlyGnu = pending.every((extension) => extension.type !== 'x' && extension.type !== type);
  if (!isGnu || !onlyGnu) throw malformed('its extended headers do not belong to one entry each');
}

function recordsOf(extensions: readonly Extension[]): PaxRecords {
  return extensions.reduce<PaxRecords>((records, { type, body }) => {
    if (type === 'x') return entryRecords(body);
    return type === 'L' ? { ...records, path: longName(body) } : { ...records, linkpath: longName(body) };
  }, {});
}

/** A GNU long name ends with one NUL. */
function longName(body: Buffer): string {
  const nul = body.indexOf(0);
  if (nul >= 0 && nul !== body.length - 1) throw malformed('a long name hides bytes behind its end');
  return textOf(nul < 0 ? body : body.subarray(0, nul));
}
