import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { LedgerRecord } from '../../src/machine/record.ts';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';

/** As many runs that found nothing to do, in the chain, as if the timer had gone on for `count` hours. */
async function hoursPass(lab: Lab, count: number): Promise<void> {
  const before = await readFile(lab.host.path(LEDGER), 'utf8');
  let line = before.trimEnd().split('\n').at(-1) ?? '';
  const lines: string[] = [];
  for (let hour = 0; hour < count; hour++) {
    const { n, boot, mono, at } = JSON.parse(line) as LedgerRecord;
    const prev = createHash('sha256').update(line).digest('hex');
    const entry = { kind: 'answer', request: `hour-${hour}`, exit: 0, message: 'Nothing to do: 2.0.0 runs already' };
    line = JSON.stringify({ v: 1, n: n + 1, prev, at, boot, mono, entry });
    lines.push(`${line}\n`);
  }
  await lab.host.push(Buffer.from(before + lines.join('')), LEDGER, 0o644);
}

it('a node that ran for a year has a short ledger, and knows what failed here, what is committed, and where to go back', async () => {
  await using lab = await makeInstalled({ soak: '1s' });
  await lab.publish('2.0.0');
  expect((await lab.updater('upgrade')).status).toBe(0);
  await lab.publish('3.0.0', 'crash 300');
  expect((await lab.updater('upgrade')).status).toBe(3);
  await hoursPass(lab, 24 * 365);

  const refused = await lab.updater('upgrade');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('3.0.0 failed here');
  expect(Number(await lab.host.sh(`stat -c %s ${LEDGER}`))).toBeLessThan(600_000);
  expect(await lab.host.journal('-t', 'node-updater', '-o', 'cat')).toContain(
    'what nothing depends on any more was forgotten',
  );
  const { stdout } = await lab.updater('history');
  expect(stdout).toMatch(/3\.0\.0[^]*2\.0\.0[^]*1\.0\.0/);
  const back = await lab.updater('rollback');
  expect(back.status, back.stderr).toBe(0);
  expect(await lab.facts()).toMatchObject({ current: '1.0.0', running: '1.0.0', fallback: '', leftovers: '' });
});
