import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { GLOBAL_DEFAULTS, globalSettings } from '../../../src/config/global.ts';
import { tryFiles, type FetchContext } from '../../../src/source/fetch-room.ts';
import { testHost } from '../cli/ledger.ts';

const HOUR = 60 * 60 * 1000;

describe('how long the fetch room may take', () => {
  it('is the time of all downloads together, each mirror’s its own', async () => {
    const { files, place: layout } = await testHost();
    const { fetch } = globalSettings(GLOBAL_DEFAULTS.raw);
    let limit = 0;
    const context = {
      ...{ files, layout, fetch },
      settings: { node: 'demo', source: { insecureHttp: false } },
      heartbeat: { during: <T>(work: Promise<T>) => work },
      bus: {
        start: (_unit: string, timeout: number) => {
          limit = timeout;
          return Promise.resolve('done');
        },
      },
      readSpool: async () => {
        const { id } = JSON.parse(await readFile(layout.fetchOrder, 'utf8')) as { id: string };
        return Buffer.from(JSON.stringify({ schema: 1, id, files: [] }));
      },
    } as unknown as FetchContext;
    const archive = { name: 'archive', urls: ['https://a/x', 'https://b/x', 'https://c/x'], limit: 1 };
    const signature = { name: 'archive.asc', urls: ['https://a/x.asc'], limit: 1 };
    await tryFiles({ files: [archive, signature] }, context);
    expect(fetch.totalTimeout).toBe(6 * HOUR);
    expect(limit).toBeGreaterThanOrEqual(4 * 6 * HOUR);
  });

  it('is cut short by no limit of its unit, which ends with its transaction', async () => {
    const unit = await readFile('units/node-updater-fetch@.service', 'utf8');
    expect(unit).toMatch(/^TimeoutStartSec=infinity$/m);
    expect(unit).toMatch(/^BindsTo=node-updater@%i\.service$/m);
  });
});
