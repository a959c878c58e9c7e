/** One 512-byte tar header block, POSIX or GNU, field by field and strictly; nothing is decided here but form. */
import { malformed, unsupported } from './refusal.ts';

export const BLOCK = 512;

export interface HeaderBlock {
  /** The type flag as a character; the NUL of old writers is '0'. */
  readonly type: string;
  /** Name and prefix joined; bytes, because a longer name elsewhere may replace it. */
  readonly name: Buffer;
  readonly link: Buffer;
  readonly mode: number;
  readonly size: number;
}

const SLASH = Buffer.from('/');

export function isZeroBlock(block: Buffer): boolean {
  return areZeros(block, 0);
}

/** A loop, because this runs over every header of an archive twice, and a callback for each byte is what shows there. */
function areZeros(bytes: Buffer, from: number): boolean {
  for (let at = from; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

export function decodeBlock(block: Buffer): HeaderBlock {
  if (octal(block, 148, 8, 'checksum') !== checksum(block)) throw malformed('a header has a wrong checksum');
  const magic = block.toString('latin1', 257, 265);
  if (magic !== 'ustar\x0000' && magic !== 'ustar  \0') {
    throw unsupported('a header is neither POSIX nor GNU', 'Pack with `tar --format=posix`.');
  }
  const flag = block.readUInt8(156);
  const prefix = magic === 'ustar\x0000' ? text(block, 345, 155) : Buffer.alloc(0);
  const name = text(block, 0, 100);
  return {
    type: flag === 0 ? '0' : String.fromCharCode(flag),
    name: prefix.length === 0 ? name : Buffer.concat([prefix, SLASH, name]),
    link: text(block, 157, 100),
    mode: octal(block, 100, 8, 'mode'),
    size: number(block, 124, 12, 'size'),
  };
}

/** Whether its checksum is that of a header; says nothing of its fields. */
export function isHeaderBlock(block: Buffer): boolean {
  return (
    Number.parseInt(
      block
        .toString('latin1', 148, 156)
        .replace(/[\0 ]+$/, '')
        .trim(),
      8,
    ) === checksum(block)
  );
}

/** Every byte, with the checksum's own field read as blanks. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < 148; at++) sum += block[at] ?? 0;
  for (let at = 156; at < BLOCK; at++) sum += block[at] ?? 0;
  return sum;
}

/** Up to the first NUL; bytes behind it would be seen by some readers alone. */
function text(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const nul = field.indexOf(0);
  if (nul < 0) return field;
  if (!areZeros(field, nul)) throw malformed('a header hides bytes behind a name');
  return field.subarray(0, nul);
}

function octal(block: Buffer, at: number, length: number, what: string): number {
  const field = block.toString('latin1', at, at + length);
  const digits = /^ *([0-7]+)[ \0]*$/.exec(field)?.[1];
  if (digits === undefined) throw malformed(`a header has a ${what} that is no octal number`);
  return Number.parseInt(digits, 8);
}

/** Octal, or GNU's base 256 (top bit set) for sizes of 8 GiB and more. */
function number(block: Buffer, at: number, length: number, what: string): number {
  const first = block.readUInt8(at);
  if ((first & 0x80) === 0) return octal(block, at, length, what);
  const high = block.readUIntBE(at, length - 6) - 0x80 * 2 ** (8 * (length - 7));
  const low = block.readUIntBE(at + length - 6, 6);
  if (first !== 0x80 || high !== 0) throw malformed(`a header has a ${what} that is negative or absurd`);
  return low;
}
