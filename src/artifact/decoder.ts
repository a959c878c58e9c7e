/**
 * Decompression in the calling thread, into one buffer that is used again and again. node:zlib offers streams (each piece a
 * job of the thread pool and a buffer of its own: twice the CPU, and memory that grows until it is collected) or whole
 * buffers (a bomb's whole size at once). So its decoders are driven here by the call that is beneath both, which
 * Node does not document: the runtime is shipped with this program and pinned, and `npm run bench` shows what it is worth.
 */
import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import { UpdaterError } from '../errors.ts';
import { malformed } from './refusal.ts';

export interface Decoder {
  /** What `input` adds, in pieces; each is only valid until the next is asked for. Throws ARTIFACT_MALFORMED. */
  decode(input: Buffer): Generator<Buffer, void, undefined>;
  /** To be called when no more input comes. Throws ARTIFACT_MALFORMED when the decoder knows that there should be more. */
  end(): void;
  close(): void;
}

/** What stands at `_handle` and `_writeState` of a stream of node:zlib. */
interface Insides {
  readonly handle: {
    writeSync(flush: number, input: Buffer, at: number, length: number, output: Buffer, to: number, room: number): void;
    onerror: (message: string, errno: number, code: string) => void;
  };
  /** After a call: the room left in the output, and the input not taken. */
  readonly state: Uint32Array;
}

const OUTPUT_SIZE = 256 * 1024;
const MORE_FOLLOWS = 0; // Z_NO_FLUSH, ZSTD_e_continue
const NOTHING = Buffer.alloc(0);

/** @param finish the flush mode of this decoder that says that no more input comes */
export function decoderOn(stream: InflateRaw | ZstdDecompress, finish: number): Decoder {
  const { handle, state } = insidesOf(stream);
  const output = Buffer.allocUnsafeSlow(OUTPUT_SIZE);
  let failure: UpdaterError | undefined;
  handle.onerror = (message, _errno, code) => {
    failure = malformed(`it cannot be decompressed (${code})`, new Error(message));
  };
  const step = (flush: number, input: Buffer, left: number): { room: number; untaken: number } => {
    handle.writeSync(flush, input, input.length - left, left, output, 0, OUTPUT_SIZE);
    if (failure !== undefined) throw failure;
    const [room = 0, untaken = 0] = state;
    return { room, untaken };
  };
  return {
    *decode(input) {
      for (let left = input.length; ;) {
        const { room, untaken } = step(MORE_FOLLOWS, input, left);
        if (room < OUTPUT_SIZE) yield output.subarray(0, OUTPUT_SIZE - room);
        else if (untaken > 0 && untaken === left) throw malformed('something follows the end of its compressed stream');
        if (untaken === 0 && room > 0) return;
        left = untaken;
      }
    },
    end() {
      step(finish, NOTHING, 0);
    },
    close: () => {
      stream.close();
    },
  };
}

function insidesOf(stream: object): Insides {
  const { _handle: handle, _writeState: state } = stream as Record<string, unknown>;
  if (isHandle(handle) && state instanceof Uint32Array) return { handle, state };
  throw new UpdaterError('INTERNAL', `Node ${process.version} is not the runtime that this program was made for`, {
    remedy: 'Run node-updater with the Node of its own package (/usr/lib/node-autoupdate/node).',
  });
}

function isHandle(value: unknown): value is Insides['handle'] {
  return typeof value === 'object' && value !== null && 'writeSync' in value && 'onerror' in value;
}
