/**
 * Decompression in the thread pool, into two buffers that take turns: one is filled while the other is used. node:zlib
 * offers streams (a new buffer for each piece: memory that grows until it is collected) or whole buffers (a bomb's whole
 * size at once). So its decoders are driven here by the call that is beneath both, which Node does not document: the
 * runtime is shipped with this program and pinned, and `npm run bench` shows what it is worth.
 */
import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import { UpdaterError } from '../errors.ts';
import { malformed } from './refusal.ts';

export interface Decoder {
  /**
   * What `input` adds, in pieces; each is valid until the second next is asked for, `input` has to be until the end.
   * Rejects with ARTIFACT_MALFORMED.
   */
  decode(input: Buffer): AsyncGenerator<Buffer, void, undefined>;
  /** To be called when no more input comes. Rejects with ARTIFACT_MALFORMED when the decoder knows that there should be more. */
  end(): Promise<void>;
  /** Not while a piece is awaited. */
  close(): void;
}

/** What stands at `_handle` and `_writeState` of a stream of node:zlib. */
interface Insides {
  readonly handle: {
    /** A job for the thread pool; then `cb` or, instead, `onerror`. */
    write(flush: number, input: Buffer, at: number, length: number, output: Buffer, to: number, room: number): void;
    close(): void;
    cb: () => void;
    onerror: (message: string, errno: number, code: string) => void;
  };
  /** After a call: the room left in the output, and the input not taken. */
  readonly state: Uint32Array;
}

interface Step {
  readonly room: number;
  readonly untaken: number;
}

const OUTPUT_SIZE = 256 * 1024;
const MORE_FOLLOWS = 0; // Z_NO_FLUSH, ZSTD_e_continue
const NOTHING = Buffer.alloc(0);

/** @param finish the flush mode of this decoder that says that no more input comes */
export function decoderOn(stream: InflateRaw | ZstdDecompress, finish: number): Decoder {
  const insides = insidesOf(stream);
  let [output, spare] = [Buffer.allocUnsafeSlow(OUTPUT_SIZE), Buffer.allocUnsafeSlow(OUTPUT_SIZE)];
  return {
    async *decode(input) {
      for (let left = input.length; ;) {
        const { room, untaken } = await step(insides, MORE_FOLLOWS, input.subarray(input.length - left), output);
        if (room < OUTPUT_SIZE) {
          const piece = output.subarray(0, OUTPUT_SIZE - room);
          [output, spare] = [spare, output];
          yield piece;
        } else if (untaken > 0 && untaken === left) {
          throw malformed('something follows the end of its compressed stream');
        }
        if (untaken === 0 && room > 0) return;
        left = untaken;
      }
    },
    async end() {
      await step(insides, finish, NOTHING, output);
    },
    close: () => {
      insides.handle.close();
    },
  };
}

function step({ handle, state }: Insides, flush: number, input: Buffer, output: Buffer): Promise<Step> {
  return new Promise((resolve, reject) => {
    handle.onerror = (message, _errno, code) => {
      reject(malformed(`it cannot be decompressed (${code})`, new Error(message)));
    };
    handle.cb = () => {
      const [room = 0, untaken = 0] = state;
      resolve({ room, untaken });
    };
    handle.write(flush, input, 0, input.length, output, 0, OUTPUT_SIZE);
  });
}

function insidesOf(stream: object): Insides {
  const { _handle: handle, _writeState: state } = stream as Record<string, unknown>;
  if (!isHandle(handle) || !(state instanceof Uint32Array)) {
    throw new UpdaterError('INTERNAL', `Node ${process.version} is not the runtime that this program was made for`, {
      remedy: 'Run node-updater with the Node of its own package (/usr/lib/node-autoupdate/node).',
    });
  }
  // What the pool has done is told to the stream, which hands it on to `cb` untouched when it is no longer in use itself.
  Object.defineProperty(stream, 'destroyed', { value: true });
  return { handle, state };
}

function isHandle(value: unknown): value is Insides['handle'] {
  return typeof value === 'object' && value !== null && 'write' in value && 'close' in value;
}
