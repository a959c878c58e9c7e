import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeLayout } from '../../../src/layout.ts';
import { readCheckState } from '../../../src/machine/state-files.ts';

let directory: string;
let layout: NodeLayout;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'state-'));
  layout = { checkState: join(directory, 'check.json') } as NodeLayout;
});
afterEach(() => rm(directory, { recursive: true }));

describe('check.json', () => {
  it('is read as it was written', async () => {
    await writeFile(layout.checkState, '{"schema":1,"at":5,"offered":"2.0.0"}\n');
    expect(await readCheckState(layout)).toEqual({ schema: 1, at: 5, offered: '2.0.0' });
  });

  it.each(['', '{', 'null', '7', '"text"', '[]', '{"schema":2,"at":5}', '{"schema":1}', '\0\0\0\0'])(
    'is forgotten where it holds %j: it is only a memory',
    async (text) => {
      await writeFile(layout.checkState, text);
      expect(await readCheckState(layout)).toBeUndefined();
    },
  );
});
