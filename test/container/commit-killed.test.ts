/**
 * The updater is killed around the one system call that commits, and while it cleans up behind it: aimed by the ledger, at
 * many small distances. What boots and runs, and what the ledger says, must be the same thing on either side of the call.
 */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Entry } from '../../src/machine/record.ts';
import { sample } from '../rig/cases.ts';
import { makeLab, type Lab } from '../rig/lab/lab.ts';

/** Microseconds after the intent was seen; the commit takes a few thousand, a reload of systemd some ten thousand. */
const DISTANCES = [0, 300, 700, 1_200, 2_000, 3_000, 5_000, 10_000, 20_000, 40_000];

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab();
  await lab.configure({ soak: '1s' });
  for (const version of ['1.0.0', '2.0.0']) {
    await lab.publish(version);
    expect((await lab.updater('upgrade')).status).toBe(0);
  }
  const hunter = new URL('../rig/lab/hunter.mjs', import.meta.url).pathname;
  await lab.host.push(hunter, '/srv/hunter.mjs');
});
afterAll(() => lab[Symbol.asyncDispose]());

/** A transaction to `to`, killed so many microseconds after its intent of `state`. Returns the candidate's invocation. */
async function killedIn(state: string, distance: number, to: string): Promise<string> {
  await lab.updater('rollback', '--to', to, '--no-wait');
  await lab.host.waitFor(`tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q '"state":"soak"'`);
  const pid = await lab.host.sh('systemctl show -P MainPID node-updater@demo.service');
  const invocation = await lab.host.sh('systemctl show -P InvocationID demo.service');
  const node = '/usr/lib/node-autoupdate/node';
  const hunter = lab.host.start([node, '/srv/hunter.mjs', pid, state, String(distance)]);
  hunter.stdout?.resume();
  await once(hunter, 'exit');
  return invocation;
}

async function lastTransaction(): Promise<readonly Entry[]> {
  const entries = (await lab.ledger()).map(({ entry }) => entry);
  return entries.slice(entries.findLastIndex(({ kind }) => kind === 'opened'));
}

async function check(to: string, invocation: string): Promise<string> {
  const facts = await lab.facts();
  const entries = await lastTransaction();
  const end = entries.find((entry) => entry.kind === 'ended');
  expect(facts).toEqual({
    current: facts.current,
    fallback: '',
    active: 'active',
    running: facts.current,
    leftovers: '',
  });
  expect(end?.outcome).toBe(facts.current === to ? 'committed' : 'rolled-back');
  const runs = await lab.host.sh('systemctl show -P InvocationID demo.service');
  // What is committed is not restarted once more by whoever settles it.
  if (facts.current === to) expect(runs).toBe(invocation);
  const settled = entries.some((entry) => entry.kind === 'intent' && entry.state === 'settle');
  return settled ? `${end?.outcome ?? ''} after a death` : 'ended before it';
}

describe('an updater that is killed at its commit', () => {
  it.each(['commit', 'clean'])(
    `leaves link, running version and ledger in agreement: killed at ${sample(DISTANCES, 4).length} distances from the intent of "%s" [S1.20][F110][P9]`,
    async (state) => {
      const tally: Record<string, number> = {};
      for (const distance of sample(DISTANCES, 4)) {
        const to = (await lab.facts()).current === '1.0.0' ? '2.0.0' : '1.0.0';
        const ends = (await lab.ledger()).filter(({ entry }) => entry.kind === 'ended').length;
        const invocation = await killedIn(state, distance, to);
        await lab.waitForEnd(ends + 1);
        await lab.host.waitFor('[ -z "$(systemctl list-jobs --no-legend)" ]');
        const what = await check(to, invocation).catch((error: unknown) => {
          throw new Error(`killed ${distance} µs after the intent of ${state}`, { cause: error });
        });
        tally[what] = (tally[what] ?? 0) + 1;
      }
      console.log(`killed at ${state}: ${JSON.stringify(tally)}`);
      expect(Object.keys(tally).join()).toContain('after a death');
    },
    600_000,
  );
});
