import { readFile, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewLedger } from '../../../src/cli/ledger-view.ts';
import { committed, testHost, upgrade, writeLedger } from './ledger.ts';

describe('viewLedger', () => {
  it('shows what stands before the damage, wherever that is, and names it', async () => {
    const { place, files } = await testHost();
    const records = await writeLedger(place.ledger, files, committed(upgrade('t', '1', '2')));
    const lines = (await readFile(place.ledger, 'utf8')).trimEnd().split('\n');
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: records.length - 2 }), fc.boolean(), async (at, torn) => {
        const bad = torn ? '{"v":' : (lines[at] ?? '').replace('"v":1', '"v":1,"x":1').replace(/"n":\d+/, '"n":99');
        await writeFile(place.ledger, `${lines.with(at, bad).join('\n')}\n`);
        const view = await viewLedger(place.ledger);
        expect(view.damage).toMatchObject({ code: 'HOST_LEDGER' });
        expect(view.records).toEqual(records.slice(0, at));
      }),
      { numRuns: 30 },
    );
  });

  it('shows no records and no damage where there is no ledger yet', async () => {
    const { place } = await testHost();
    expect(await viewLedger(place.ledger)).toEqual({ records: [] });
  });
});
