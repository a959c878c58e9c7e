/** What every act has, and what several acts do. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { NODE_URL, type Ended, type Host } from './host.ts';
import type { Desk } from './publisher-desk.ts';
import type { Screen } from './screen.ts';
import { makeTree, type Behaviour } from './trees.ts';

export interface Stage {
  readonly screen: Screen;
  readonly host: Host;
  readonly desk: Desk;
}

/** The real program that a release is made of. */
export interface Program {
  readonly file: string;
  readonly version: string;
}

export async function publish(
  { desk }: Stage,
  program: Program,
  version: string,
  behaviour: Behaviour = 'good',
): Promise<void> {
  const tree = join(desk.directory, 'trees', version);
  await makeTree(tree, program, version, behaviour);
  await desk.type(`./release.sh ${version}`);
  await rm(tree, { recursive: true });
}

/** What answers, what is current, and that nothing of a transaction is left. */
export async function claimRuns({ screen, host }: Stage, version: string): Promise<void> {
  const { output } = await host.type(`curl --silent ${NODE_URL}`);
  const { current, fallback } = await host.links();
  screen.claim(
    `${version} answers, \`current\` names it, and nothing is on probation`,
    output === `workerd ${version}` && current === version && fallback === '',
  );
}

export function claimEnded({ screen }: Stage, ended: Ended, version: string, code: string): void {
  screen.claim(
    `${version} was put back because of ${code}`,
    ended.outcome === 'rolled-back' && ended.failure?.code === code,
  );
}

/** Says for how long the node did not answer since the last time it was asked. */
export async function sayOutages({ screen, host }: Stage): Promise<number> {
  const outages = await host.outages();
  for (const { milliseconds, before, after } of outages) {
    const who = before === after ? before : `from ${before} to ${after}`;
    screen.say(`The node did not answer for ${String(milliseconds)} ms (${who}).`);
  }
  return Math.max(0, ...outages.map(({ milliseconds }) => milliseconds));
}

/** For `journalctl --since`. */
export function now(): string {
  return `${new Date().toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
