/** What an ELF file says of the hosts that it runs on. Reads the headers alone. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Artifact } from '../manifest.ts';

export interface ElfFacts {
  /** Undefined for a machine that no artifact can name. */
  readonly arch: Artifact['arch'] | undefined;
  readonly libc: Artifact['libc'];
}

const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_INTERP = 3;
const PROGRAM_HEADER_BYTES = 56;
const INTERPRETER_LIMIT = 4096;

/** Undefined when the file is no 64-bit little-endian ELF (a script, say). */
export async function readElf(path: string): Promise<ElfFacts | undefined> {
  await using file = await open(path, 'r');
  const header = await readAt(file, 0, 64);
  if (header.length < 64 || !header.subarray(0, 4).equals(MAGIC)) return undefined;
  if (header[4] !== CLASS_64 || header[5] !== LITTLE_ENDIAN) return { arch: undefined, libc: 'gnu' };
  const table = { offset: Number(header.readBigUInt64LE(32)), count: header.readUInt16LE(56) };
  return { arch: archOf(header.readUInt16LE(18)), libc: libcOf(await readInterpreter(file, table)) };
}

function archOf(machine: number): Artifact['arch'] | undefined {
  if (machine === 62) return 'amd64';
  return machine === 183 ? 'arm64' : undefined;
}

function libcOf(interpreter: string | undefined): Artifact['libc'] {
  if (interpreter === undefined) return 'static';
  return interpreter.includes('ld-musl') ? 'musl' : 'gnu';
}

async function readInterpreter(
  file: FileHandle,
  table: { readonly offset: number; readonly count: number },
): Promise<string | undefined> {
  const headers = await readAt(file, table.offset, table.count * PROGRAM_HEADER_BYTES);
  for (let at = 0; at + PROGRAM_HEADER_BYTES <= headers.length; at += PROGRAM_HEADER_BYTES) {
    if (headers.readUInt32LE(at) !== PT_INTERP) continue;
    const size = Math.min(Number(headers.readBigUInt64LE(at + 32)), INTERPRETER_LIMIT);
    return (await readAt(file, Number(headers.readBigUInt64LE(at + 8)), size)).toString('latin1');
  }
  return undefined;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
