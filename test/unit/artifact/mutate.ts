/** Mutations of archives as data, so that fast-check can shrink what fails. */
import fc from 'fast-check';
import { summed } from './archives.ts';

export type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'cut' | 'repeat' | 'zero'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly at: number }
  /** Whole blocks of 512. */
  | { readonly kind: 'swap' | 'copy'; readonly at: number; readonly to: number }
  /** A field of a header, whose checksum is right again. */
  | { readonly kind: 'field'; readonly at: number; readonly field: Field; readonly text: string };

/** A mutation of the file as it is, or of the tar within before it is compressed. */
export interface Change {
  readonly layer: 'file' | 'tar';
  readonly mutations: readonly Mutation[];
}

type Field = readonly [start: number, length: number];

const [NAME, MODE, SIZE, TYPE, LINK, MAGIC, PREFIX]: readonly Field[] = [
  [0, 100],
  [100, 8],
  [124, 12],
  [156, 1],
  [157, 100],
  [257, 8],
  [345, 155],
];
const OTHERS: readonly Field[] = [
  [108, 8],
  [116, 8],
  [136, 12],
];
/** What has broken readers before: ways out, types, sizes. */
const NAMES = [
  ...[
    '../x',
    '/etc/x',
    'a/../../x',
    '..',
    '.',
    './',
    '',
    'bin',
    'bin/',
    'lib/node',
    'a\\b',
    'C:x',
    '.staging/0',
    'LIB',
  ],
  ...['bin/x', 'bin/x/y', './bin/node', 'lib/../x', 'n', 'bin//node', 'e\u0301', 'x\ny'],
];
const TYPES = '01234567ADKLMNSVgx\0'.split('');
const SIZES = [
  '0',
  '77777777777',
  '00000001000',
  '00000001275',
  '-1',
  '\x80\0\0\0\0\0\0\0\0\0\x10\0',
  'zz',
  '00000000000\0',
];
const MODES = ['0004755', '0002755', '0000000', '0000777', '999', ''];

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const length = fc.oneof(fc.integer({ min: 1, max: 16 }), fc.constantFrom(512, 1024, 4096));
function texts(fields: readonly (Field | undefined)[], known: readonly string[]): fc.Arbitrary<Mutation> {
  return fc.record({
    kind: fc.constant('field' as const),
    at: place,
    field: fc.constantFrom(...fields.filter((one) => one !== undefined)),
    text: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...known) }, fc.string({ maxLength: 12 })),
  });
}
const field = fc.oneof(
  texts([NAME, LINK, PREFIX], NAMES),
  texts([TYPE], TYPES),
  texts([SIZE], SIZES),
  texts([MODE], MODES),
  texts([MAGIC], ['ustar\x0000', 'ustar  \0', '']),
  texts(OTHERS, ['0000000\0', '']),
);
const anywhere: readonly fc.Arbitrary<Mutation>[] = [
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set' as const), at: place, byte: fc.nat(255) }),
  fc.record({ kind: fc.constantFrom('cut' as const, 'repeat' as const, 'zero' as const), at: place, length }),
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }) }),
  fc.record({ kind: fc.constant('truncate' as const), at: place }),
];
const blocks = fc.record({ kind: fc.constantFrom('swap' as const, 'copy' as const), at: place, to: place });

/** Half of them are right in form and wrong in meaning, which is what gets past checksums. */
export const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    layer: fc.constant('file' as const),
    mutations: fc.array(fc.oneof(...anywhere), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    layer: fc.constant('tar' as const),
    mutations: fc.array(fc.oneof({ weight: 8, arbitrary: field }, { weight: 2, arbitrary: blocks }, ...anywhere), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
);

export function mutated(bytes: Buffer, mutations: readonly Mutation[]): Buffer {
  return mutations.reduce(mutate, Buffer.from(bytes));
}

function mutate(bytes: Buffer, mutation: Mutation): Buffer {
  const at = Math.floor(mutation.at * bytes.length);
  switch (mutation.kind) {
    case 'flip':
      return withBytes(bytes, at, [(bytes[at] ?? 0) ^ (1 << mutation.bit)]);
    case 'set':
      return withBytes(bytes, at, [mutation.byte]);
    case 'cut':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + mutation.length)]);
    case 'repeat':
      return Buffer.concat([bytes.subarray(0, at + mutation.length), bytes.subarray(at)]);
    case 'zero':
      return withBytes(bytes, at, Buffer.alloc(mutation.length));
    case 'insert':
      return Buffer.concat([bytes.subarray(0, at), mutation.bytes, bytes.subarray(at)]);
    case 'truncate':
      return bytes.subarray(0, at);
    case 'swap':
    case 'copy':
      return moveBlock(bytes, blockAt(bytes, mutation.at), blockAt(bytes, mutation.to), mutation.kind);
    case 'field':
      return withField(bytes, mutation);
  }
}

function withBytes(bytes: Buffer, at: number, replacement: Uint8Array | readonly number[]): Buffer {
  const changed = Buffer.from(bytes);
  Buffer.from(replacement).copy(changed, at);
  return changed;
}

function blockAt(bytes: Buffer, place: number): number {
  return Math.floor((place * bytes.length) / 512) * 512;
}

function moveBlock(bytes: Buffer, from: number, to: number, kind: 'swap' | 'copy'): Buffer {
  const [one, other] = [Buffer.from(bytes.subarray(from, from + 512)), Buffer.from(bytes.subarray(to, to + 512))];
  const copied = withBytes(bytes, to, one);
  return kind === 'copy' ? copied : withBytes(copied, from, other);
}

/** In the header that is nearest before the place, if one is. */
function withField(bytes: Buffer, { at, field: [start, size], text }: Mutation & { kind: 'field' }): Buffer {
  let block = blockAt(bytes, at);
  while (block > 0 && bytes.toString('latin1', block + 257, block + 262) !== 'ustar') block -= 512;
  if (block + 512 > bytes.length) return bytes;
  const header = Buffer.from(bytes.subarray(block, block + 512));
  header.fill(0, start, start + size).write(text.slice(0, size), start, 'latin1');
  return withBytes(bytes, block, summed(header));
}
