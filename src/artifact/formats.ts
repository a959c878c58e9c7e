/** Formats that are not read here, known by their first bytes, so that they are called by their names and not "cut short". */
import { BLOCK, isHeaderBlock } from './block.ts';

interface Format {
  readonly name: string;
  readonly magic: readonly number[];
}

/** What is read once is one of the first three; twice it is none. */
const COMPRESSED: readonly Format[] = [
  { name: 'gzip', magic: [0x1f, 0x8b] },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68] },
  { name: 'lzip', magic: [0x4c, 0x5a, 0x49, 0x50] },
  { name: 'lz4', magic: [0x04, 0x22, 0x4d, 0x18] },
  { name: 'compress (.Z)', magic: [0x1f, 0x9d] },
  { name: 'lzop', magic: [0x89, 0x4c, 0x5a, 0x4f] },
  // Its settings as every packer writes them; the format has no magic bytes of its own.
  { name: 'lzma (.lzma, before xz)', magic: [0x5d, 0x00, 0x00] },
  { name: 'zip', magic: [0x50, 0x4b, 0x03, 0x04] },
  { name: '7z', magic: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c] },
];

/** The name of the compressed format that these bytes begin; undefined for a tar header, whatever its first file is called. */
export function compressedFormat(head: Buffer): string | undefined {
  if (head.length >= BLOCK && isHeaderBlock(head.subarray(0, BLOCK))) return undefined;
  return COMPRESSED.find(({ magic }) => magic.every((byte, at) => head[at] === byte))?.name;
}
