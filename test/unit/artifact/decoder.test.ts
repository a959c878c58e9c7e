import { PassThrough } from 'node:stream';
import { constants, createInflateRaw, createZstdDecompress, deflateRawSync, zstdCompressSync } from 'node:zlib';
import type { InflateRaw } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decoderOn } from '../../../src/artifact/decoder.ts';

const ZEROS = Buffer.alloc(8 * 1024 * 1024);

async function sizesOf(pieces: AsyncIterable<Buffer>): Promise<number[]> {
  const sizes: number[] = [];
  for await (const piece of pieces) sizes.push(piece.length);
  return sizes;
}

describe('decoderOn', () => {
  it.each([
    { name: 'deflate', make: () => decoderOn(createInflateRaw(), constants.Z_FINISH), packed: deflateRawSync(ZEROS) },
    {
      name: 'zstd',
      make: () => decoderOn(createZstdDecompress(), constants.ZSTD_e_end),
      packed: zstdCompressSync(ZEROS),
    },
  ])(
    'gives the whole content of $name in pieces of bounded size, however small its input',
    async ({ make, packed }) => {
      const decoder = make();
      const sizes = await sizesOf(decoder.decode(packed));
      await decoder.end();
      decoder.close();
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(ZEROS.length);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024);
    },
  );

  it('refuses at the end a deflate stream that is cut short [F048]', async () => {
    const decoder = decoderOn(createInflateRaw(), constants.Z_FINISH);
    const packed = deflateRawSync(Buffer.from('some text'));
    expect((await sizesOf(decoder.decode(packed.subarray(0, -2)))).length).toBeLessThanOrEqual(1);
    await expect(decoder.end()).rejects.toMatchObject({ code: 'ARTIFACT_MALFORMED' });
    decoder.close();
  });

  it('says so when the runtime is not the one it was made for', () => {
    const stranger = new PassThrough() as unknown as InflateRaw;
    expect(() => decoderOn(stranger, constants.Z_FINISH)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });
});
