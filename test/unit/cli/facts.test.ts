import { mkdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readFacts } from '../../../src/cli/facts.ts';
import { stateOf } from '../../../src/cli/node-state.ts';
import { units } from './story.ts';
import { NODE, testHost } from './ledger.ts';

describe('readFacts', () => {
  it('tells of a link whose version directory is gone, and what to do about it [P33]', async () => {
    const host = await testHost();
    await mkdir(`${host.place.versions}/2.0.0`);
    await host.files.symlink('versions/2.0.0', host.place.current);
    expect((await readFacts(NODE, host)).problems).toEqual([]);
    await host.files.symlink('versions/1.0.0', host.place.fallback);
    const { links, problems } = await readFacts(NODE, host);
    expect(links).toEqual({ current: '2.0.0', fallback: '1.0.0' });
    expect(problems).toMatchObject([
      {
        code: 'HOST_STATE',
        message: `${host.place.fallback} names versions/1.0.0, which is gone`,
        remedy: expect.stringContaining(`rm ${host.place.fallback}`) as string,
      },
    ]);
  });

  it('sees what holds the node down, and status says so', async () => {
    const host = await testHost();
    expect((await readFacts(NODE, host)).held).toBeUndefined();
    await host.files.replace(host.place.restoring, 'b\n', 0o644);
    const found = await readFacts(NODE, host);
    expect(found.held).toBe('for a restore');
    expect(stateOf(found, units())).toMatchObject({
      state: 'unsettled',
      text: expect.stringMatching(/^held down/) as string,
    });
  });
});
