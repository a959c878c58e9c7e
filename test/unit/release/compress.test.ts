import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compress } from '../../../src/release/compress.ts';
import type { Format } from '../../../src/release/compress.ts';

const LARGE = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at) % 251));
const BLOCKS = [Buffer.from('head'), LARGE, Buffer.from('body'), LARGE.subarray(7), Buffer.alloc(1024)];
const SMALL_BLOCKS = Array.from({ length: 12 }, (_, at) => Buffer.alloc(512, `block ${at}`));

/** `turns` of the event loop pass before each block: the compressor has nothing left to do when the next one comes. */
async function compressed(format: Format, turns: number, input = BLOCKS): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const blocks = async function* (): AsyncGenerator<Buffer> {
    for (const block of input) {
      for (let turn = 0; turn < turns; turn++) await setImmediate();
      yield block;
    }
  };
  await compress(blocks(), { format, level: 1 }, async (written) => {
    for await (const chunk of written) chunks.push(chunk);
  });
  return Buffer.concat(chunks);
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('compress', () => {
  it.each(['tar', 'tar.gz', 'tar.xz', 'tar.zst'] as const)(
    'makes the same .%s whether its input is quick or slow',
    async (format) => {
      for (const input of [BLOCKS, SMALL_BLOCKS]) {
        const digests = new Set<string>();
        for (const turns of [0, 1, 5, 100, 2000]) {
          const bytes = await compressed(format, turns, input);
          digests.add(createHash('sha256').update(bytes).digest('hex'));
        }
        expect(digests.size).toBe(1);
      }
    },
  );

  it('loses nothing', async () => {
    const whole = Buffer.concat(BLOCKS);
    expect(zstdDecompressSync(await compressed('tar.zst', 0)).equals(whole)).toBe(true);
    expect(gunzipSync(await compressed('tar.gz', 0)).equals(whole)).toBe(true);
    expect((await compressed('tar', 0)).equals(whole)).toBe(true);
    const unxz = execFileSync('xz', ['--decompress', '--stdout'], { input: await compressed('tar.xz', 0) });
    expect(unxz.equals(whole)).toBe(true);
  });

  it('ends with the words of xz when that does not do its work', async () => {
    const blocks = async function* (): AsyncGenerator<Buffer> {
      for (const block of BLOCKS) {
        await setImmediate();
        yield block;
      }
    };
    const drain = async (written: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of written) expect(chunk.length).toBeGreaterThan(0);
    };
    const directory = await mkdtemp(join(tmpdir(), 'xz-'));
    await writeFile(join(directory, 'xz'), '#!/bin/sh\necho out of memory >&2\nexit 1\n', { mode: 0o755 });
    vi.stubEnv('PATH', `${directory}:/usr/bin:/bin`);
    const refused = compress(blocks(), { format: 'tar.xz', level: 6 }, drain);
    await expect(refused).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    await expect(refused).rejects.toThrow('out of memory');
    vi.stubEnv('PATH', directory.replace(/$/, '/none'));
    await expect(compress(blocks(), { format: 'tar.xz', level: 6 }, drain)).rejects.toMatchObject({
      code: 'HOST_TOOL',
    });
    await rm(directory, { recursive: true });
  });

  it.each(['tar.zst', 'tar.xz'] as const)('ends with the error of its input (.%s)', async (format) => {
    const blocks = async function* (): AsyncGenerator<Buffer> {
      yield LARGE;
      await setImmediate();
      throw new Error('gone');
    };
    const drain = async (written: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of written) expect(chunk.length).toBeGreaterThan(0);
    };
    await expect(compress(blocks(), { format, level: 1 }, drain)).rejects.toThrow('gone');
  });
});
