/**
 * What an update costs, each figure a ratio to something plain in the same run on the same machine, or a plain count:
 * `npm run bench`, as root; `-- --json` for a program, `-- --only=supply,memory` for a part. It informs: its exit status
 * says only whether it could be measured.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { tableOf, verdictOf, type Figure } from './bench/figures.ts';

const PARTS: Readonly<Record<string, (work: string, rounds: number) => Promise<Figure[]>>> = {
  host: async (work, rounds) => (await import('./bench/host-figures.ts')).hostFigures(work, rounds),
  supply: async (work, rounds) => (await import('./bench/supply-figures.ts')).supplyFigures(work, rounds),
  memory: async (work) => (await import('./bench/memory-figures.ts')).memoryFigures(work),
};

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
  },
});

const figures: Figure[] = [];
for (const part of values.only?.split(',') ?? Object.keys(PARTS)) {
  const measurePart = PARTS[part];
  if (measurePart === undefined)
    throw new Error(`there is no part ${part}; there are ${Object.keys(PARTS).join(', ')}`);
  // Not /tmp, which may be memory: what durability costs is a part of it.
  const work = mkdtempSync(join('/var/tmp', 'node-autoupdate-bench-'));
  try {
    const load = loadavg()[0] ?? 0;
    const some = await measurePart(work, Number(values.rounds));
    if (!values.json) console.log(`${part}, at load ${load.toFixed(1)}\n${tableOf(some)}\n`);
    figures.push(...some);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
if (values.json)
  console.log(
    JSON.stringify(
      figures.map((figure) => ({ ...figure, verdict: verdictOf(figure) })),
      undefined,
      2,
    ),
  );
