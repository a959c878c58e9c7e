import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt } from '../../../src/layout.ts';
import type { NodeLayout } from '../../../src/layout.ts';
import { leaveCause, readCause } from '../../../src/machine/cause.ts';
import { parseNodeName } from '../../../src/release.ts';

const files = durableFiles(run);
const failure = { code: 'DISK_FULL', message: 'no room', remedy: 'Make room.' } as const;
let root: string;
let layout: NodeLayout;

beforeEach(async () => {
  root = await mkdtemp(`${tmpdir()}/cause-`);
  const node = parseNodeName('demo');
  if (node === undefined) throw new Error('no name');
  layout = layoutAt(root).node(node);
  await files.makeDirectory(layout.run, 0o755);
});
afterEach(() => rm(root, { recursive: true }));

describe('the cause that the ledger could not take', () => {
  it('is found again by the run that settles the same transaction, and by no other', async () => {
    await leaveCause({ tx: 't1', failure }, layout, files);
    expect(await readCause('t1', layout)).toEqual(failure);
    expect(await readCause('t2', layout)).toBeUndefined();
  });

  it('is the first one: a settling run that fails in its turn does not replace it', async () => {
    await leaveCause({ tx: 't1', failure }, layout, files);
    await leaveCause({ tx: 't1', failure: { ...failure, code: 'HOST_BUS' } }, layout, files);
    expect(await readCause('t1', layout)).toEqual(failure);
    await leaveCause({ tx: 't2', failure: { ...failure, code: 'HOST_BUS' } }, layout, files);
    expect(await readCause('t2', layout)).toMatchObject({ code: 'HOST_BUS' });
    expect(await readdir(layout.run)).toEqual(['cause']);
  });

  it('is none when the note is missing, was cut short, or is of a newer program', async () => {
    expect(await readCause('t1', layout)).toBeUndefined();
    for (const text of ['', '{"tx":"t1","fail', 'null', '{"tx":"t1"}', '{"tx":"t1","failure":{"code":"NEWER"}}']) {
      await writeFile(layout.causeMark, text);
      expect(await readCause('t1', layout), text).toBeUndefined();
    }
  });
});
