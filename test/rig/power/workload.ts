/** What the node does while its disk is recorded: everything that a node's life has, once. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lab } from '../lab/lab.ts';
import type { Behaviour } from '../lab/tree.ts';
import { drawFrom } from './cuts.ts';
import type { Watch } from './watch.ts';

/** What is published, in this order, and never again. */
const RELEASES = { '1.0.0': 'good', '2.0.0': 'good', '3.0.0': 'crash 300', '4.0.0': 'good', '5.0.0': 'good' } as const;
type Published = keyof typeof RELEASES;

const FILES = 40;
const MOST_BYTES = 60_000;

export type Act = (lab: Lab, watch: Watch) => Promise<void>;

/** A first installation and an upgrade. */
export const YOUTH: readonly Act[] = [upgrade('1.0.0'), upgrade('2.0.0')];

/** First installation, an upgrade, one that fails and is put back, a rollback, a prune. */
export const SHORT_LIFE: readonly Act[] = [...YOUTH, upgrade('3.0.0'), rollback, prune];

/** And then a drill, an updater that is killed, a second try. */
export const LONG_LIFE: readonly Act[] = [
  ...SHORT_LIFE,
  upgrade('4.0.0'),
  drill,
  killed('5.0.0'),
  again('5.0.0'),
  prune,
];

export async function liveThrough(life: readonly Act[], lab: Lab, watch: Watch): Promise<void> {
  for (const act of life) {
    await act(lab, watch);
    await calm(lab);
  }
  await watch.phase('at rest');
}

function upgrade(version: Published): Act {
  const behaviour: Behaviour = RELEASES[version];
  return async (lab, watch) => {
    await watch.phase(version);
    await lab.publish(version, behaviour);
    await told(lab, behaviour === 'good' ? 0 : 3, 'upgrade');
    if (behaviour === 'good') await watch.committed(version);
  };
}

async function rollback(lab: Lab, watch: Watch): Promise<void> {
  await watch.phase('rollback');
  await told(lab, 0, 'rollback');
  await watch.committed('1.0.0');
}

async function prune(lab: Lab, watch: Watch): Promise<void> {
  await watch.phase('prune');
  await told(lab, 0, 'prune', '--keep', '2');
}

async function drill(lab: Lab, watch: Watch): Promise<void> {
  await watch.phase('drill');
  await told(lab, 0, 'drill', '--yes');
}

function killed(version: Published): Act {
  return async (lab, watch) => {
    await watch.phase(`${version}, killed`);
    await lab.publish(version, RELEASES[version]);
    await told(lab, 0, 'upgrade', '--no-wait');
    await lab.host.waitFor(`tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q '"state":"soak"'`);
    await lab.host.sh('systemctl kill --signal=KILL node-updater@demo.service');
  };
}

function again(version: Published): Act {
  return async (lab, watch) => {
    await watch.phase(`${version}, again`);
    await told(lab, 0, 'upgrade');
    await watch.committed(version);
  };
}

async function told(lab: Lab, wanted: number, ...args: string[]): Promise<void> {
  const { status, stdout, stderr } = await lab.updater(...args);
  if (status !== wanted) throw new Error(`node-updater ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
}

/** Until systemd has nothing more to do for the node. */
export async function calm({ host }: Lab): Promise<void> {
  const idle = ['node-updater@demo', 'node-updater-revert@demo'].map(
    (unit) => `case $(systemctl show -P ActiveState ${unit}.service) in inactive|failed) ;; *) false;; esac`,
  );
  await host.waitFor(`${idle.join(' && ')} && [ -z "$(systemctl list-jobs --no-legend)" ]`, { timeout: 120 });
}

/** Files of many sizes, so that a release takes many writes; the same for each version but for their content. */
export async function fill(tree: string): Promise<void> {
  const draw = drawFrom(tree.length);
  await mkdir(join(tree, 'data'));
  for (let at = 0; at < FILES; at++) {
    const line = `${tree} ${at}\n`;
    await writeFile(join(tree, 'data', `${at}.txt`), line.repeat(Math.ceil((draw() * MOST_BYTES) / line.length)));
  }
}
