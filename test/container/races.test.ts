/**
 * The fallback's proof: random interference at random moments of a transaction, then the same four questions each time:
 * do link, running version, ledger and leftovers agree, and is the node up? Bounded by NODE_UPDATER_TEST_CASES; the full
 * run, 200 races and 100 crashes, is `npm run test:races`.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cases } from '../rig/cases.ts';
import { makeInstalled } from '../rig/lab/installed.ts';
import type { Lab } from '../rig/lab/lab.ts';
import type { Behaviour } from '../rig/lab/tree.ts';

/** The good version that is always there, and what is tried to replace it. */
const CANDIDATES: readonly { readonly version: string; readonly behaviour: Behaviour }[] = [
  { version: '2.0.0', behaviour: 'good' },
  { version: '3.0.0', behaviour: 'sulky' },
  { version: '4.0.0', behaviour: 'crash 400' },
];

const INTERFERENCE = {
  kill: 'systemctl kill --signal=KILL node-updater@demo.service || true',
  stop: 'systemctl stop node-updater@demo.service',
  revert: 'systemctl start node-updater-revert@demo.service',
  'kill and revert':
    'systemctl kill --signal=KILL node-updater@demo.service || true; systemctl start node-updater-revert@demo.service',
  'revert and a new run':
    'systemctl start --no-block node-updater-revert@demo.service; systemctl start --no-block node-updater@demo.service',
  'crash of the node': 'systemctl kill --signal=KILL demo.service || true',
  'operator restart': 'systemctl restart demo.service',
  'daemon-reload': 'systemctl daemon-reload',
} as const;
type Interference = keyof typeof INTERFERENCE;

/** Longest delay before the interference, in milliseconds: a transaction with a soak of one second is over by then. */
const SPAN = 4000;

let lab: Lab;

beforeAll(async () => {
  lab = await makeInstalled({ soak: '1s' });
  for (const { version, behaviour } of CANDIDATES) await lab.publish(version, behaviour);
});
afterAll(() => lab[Symbol.asyncDispose]());

/** Deterministic, so that a race can be run again by its number. */
function random(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0;
    return state / 2 ** 32;
  };
}

function pick<T>(from: readonly T[], draw: () => number): T {
  return from[Math.floor(draw() * from.length)] as T;
}

async function begin(draw: () => number): Promise<void> {
  const { current } = await lab.facts();
  const target = current === '1.0.0' ? pick(CANDIDATES, draw).version : '1.0.0';
  const force = ['--force', 'downgrade', '--force', 'quarantine', '--force', 'rollout'];
  const before = await openedSoFar();
  await lab.updater('upgrade', '--to', target, ...force, '--no-wait');
  // On a busy machine it takes longer to begin than to do everything else.
  const opened = `[ "$(grep -c '"kind":"opened"' /var/lib/node-updater/demo/ledger.jsonl)" -gt ${before} ]`;
  const over = '[ "$(systemctl show -P ActiveState node-updater@demo.service)" != activating ]';
  await lab.host.waitFor(`${opened} || ${over}`);
}

/** Waits until systemd has nothing more to do for the node, and settles what the interference left. */
async function calm(): Promise<void> {
  const idle = ['node-updater@demo', 'node-updater-revert@demo']
    .map((unit) => `systemctl is-active --quiet ${unit} || systemctl show -P ActiveState ${unit} | grep -q ing`)
    .map((busy) => `! { ${busy}; }`)
    .join(' && ');
  await lab.host.waitFor(`${idle} && [ -z "$(systemctl list-jobs --no-legend)" ]`, { timeout: 120 });
}

async function settle(): Promise<void> {
  await calm();
  await lab.host.run(['systemctl', 'start', 'node-updater@demo.service'], { timeout: 120 });
  await calm();
}

async function openedSoFar(): Promise<number> {
  return (await lab.ledger()).filter(({ entry }) => entry.kind === 'opened').length;
}

/** What the transaction was doing when it was interfered with; for the tally, which tells that every step was hit. */
async function lastIntent(openedBefore: number): Promise<string> {
  if ((await openedSoFar()) === openedBefore) return 'before it opened';
  const last = (await lab.ledger()).findLast(({ entry }) => entry.kind === 'intent' || entry.kind === 'ended')?.entry;
  return last?.kind === 'intent' ? last.state : 'after its end';
}

/** What may boot: the committed version; both where the crash fell between the commit and its record. */
async function bootable(): Promise<readonly string[]> {
  const entries = (await lab.ledger()).map(({ entry }) => entry);
  const opened = entries.findLast((entry) => entry.kind === 'opened')?.transaction;
  const later = entries.slice(entries.findLastIndex((entry) => entry.kind === 'opened'));
  const ended = later.find((entry) => entry.kind === 'ended');
  const { from = '', to = '' } = opened ?? {};
  if (ended !== undefined) return [ended.outcome === 'committed' ? to : from];
  const committing = later.some((entry) => entry.kind === 'intent' && entry.state === 'commit');
  return committing ? [from, to] : [from];
}

async function check(): Promise<void> {
  const facts = await lab.facts();
  const ledger = await lab.ledger();
  const opened = ledger.filter(({ entry }) => entry.kind === 'opened').length;
  const ended = ledger.filter(({ entry }) => entry.kind === 'ended').length;
  expect({ ...facts, open: opened - ended }).toEqual({
    current: facts.current,
    fallback: '',
    active: 'active',
    running: facts.current,
    leftovers: '',
    open: 0,
  });
}

describe('whatever happens to a transaction, and whenever', () => {
  it(`link, running version, ledger and leftovers agree, and the node is up, in each of ${cases(12)} races`, async () => {
    const tally = new Map<string, number>();
    const count = (what: string) => tally.set(what, (tally.get(what) ?? 0) + 1);
    for (let race = 1; race <= cases(12); race++) {
      const draw = random(race);
      const kind = pick(Object.keys(INTERFERENCE) as Interference[], draw);
      const delay = Math.floor(draw() * SPAN);
      const before = await openedSoFar();
      await begin(draw);
      await lab.host.sh(`sleep ${(delay / 1000).toFixed(3)}; ${INTERFERENCE[kind]}`);
      count(`hit ${await lastIntent(before)}`);
      await settle();
      await check().catch((error: unknown) => {
        throw new Error(`race ${race}: ${kind} after ${delay} ms`, { cause: error });
      });
      count((await openedSoFar()) > before ? ((await lab.lastEnd())?.outcome ?? 'none') : 'no transaction');
    }
    console.log(`races: ${JSON.stringify(Object.fromEntries([...tally].sort()))}`);
  }, 3_600_000);

  it(`the host crashes and boots the committed version, in each of ${cases(6)} crashes`, async () => {
    for (let round = 1; round <= cases(6); round++) {
      const draw = random(10_000 + round);
      const delay = Math.floor(draw() * SPAN);
      await begin(draw);
      await lab.host.sh(`sleep ${(delay / 1000).toFixed(3)}`);
      await lab.host.crash();
      await lab.host.boot();
      const boot = await lab.facts();
      expect({ ...boot, round, delay }, 'at boot, before anything of ours ran').toMatchObject({
        fallback: '',
        active: 'active',
        running: boot.current,
      });
      expect(await bootable(), `crash ${round} after ${delay} ms`).toContain(boot.current);
      await settle();
      await check().catch((error: unknown) => {
        throw new Error(`crash ${round} after ${delay} ms`, { cause: error });
      });
    }
  }, 3_600_000);
});
