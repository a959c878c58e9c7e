/** Archives as files, in a directory that is there for the tests of one file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { inventoryOf } from '../../../src/artifact/headers.ts';
import { PLENTY } from './archives.ts';
import { refusalOf } from './refusal-of.ts';

export interface Desk {
  /** The path of a file with these bytes. */
  readonly written: (bytes: Buffer) => Promise<string>;
  /** Of what is in an archive that is accepted. */
  readonly pathsOf: (bytes: Buffer) => Promise<string[]>;
  readonly expectRefused: (bytes: Buffer, code: string) => Promise<void>;
}

/** To be called where tests are described. */
export function makeDesk(): Desk {
  let work: string;
  let count = 0;
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'archives-'));
  });
  afterAll(() => rm(work, { recursive: true }));

  async function written(bytes: Buffer): Promise<string> {
    const path = join(work, `${++count}.archive`);
    await writeFile(path, bytes);
    return path;
  }
  return {
    written,
    async pathsOf(bytes) {
      const { items } = await inventoryOf(await written(bytes), PLENTY);
      return items.map(({ path }) => path);
    },
    async expectRefused(bytes, code) {
      expect(await refusalOf(await written(bytes), PLENTY)).toBe(code);
    },
  };
}
