import { readlink, stat } from 'node:fs/promises';
import { readLinks, type Links } from '../activation/links.ts';
import { findNodeFiles } from '../config/inventory.ts';
import { errnoOf, UpdaterError } from '../errors.ts';
import { exists } from '../if-there.ts';
import type { NodeLayout } from '../layout.ts';
import { readCheckState, type CheckState } from '../machine/state-files.ts';
import type { NodeName } from '../release.ts';
import type { Host } from './host.ts';
import { viewLedger, type LedgerView } from './ledger-view.ts';
import { pickNode } from './nodes.ts';

/** What the disk says about a node. What cannot be read is part of it: looking never fails. */
export interface NodeFacts {
  readonly node: NodeName;
  readonly links: Links;
  readonly ledger: LedgerView;
  readonly check: CheckState | undefined;
  /** The file `restoring` is there. */
  readonly held?: 'for a restore';
  readonly problems: readonly UpdaterError[];
}

/** The names in nodes.d, without a look into the files: that is the configuration's affair. */
export function namesOfNodes(host: Pick<Host, 'layout' | 'uid'>): NodeName[] {
  return findNodeFiles(host.layout, host.uid).nodes.map(({ node }) => node);
}

export function oneNode(name: string | undefined, host: Pick<Host, 'layout' | 'uid'>): NodeName {
  return pickNode(name, namesOfNodes(host));
}

export async function readFacts(node: NodeName, host: Pick<Host, 'layout'>): Promise<NodeFacts> {
  const layout = host.layout.node(node);
  const links = await orProblem(readLinks(layout), { current: undefined, fallback: undefined });
  const check = await orProblem(readCheckState(layout), undefined);
  const ledger = await viewLedger(layout.ledger);
  const gone = [await goneVersion(layout.current, layout), await goneVersion(layout.fallback, layout)];
  const problems = [links.problem, ...gone, check.problem, ledger.damage].filter((problem) => problem !== undefined);
  const held = (await exists(layout.restoring)) ? { held: 'for a restore' as const } : {};
  return { node, links: links.value, ledger, check: check.value, problems, ...held };
}

/** A link whose version directory somebody has removed. */
async function goneVersion(link: string, { home }: NodeLayout): Promise<UpdaterError | undefined> {
  try {
    await stat(link);
    return undefined;
  } catch (error) {
    const there = errnoOf(error) === 'ENOENT' ? await linkTextOf(link) : undefined;
    if (there === undefined) return undefined;
    const keep = link.endsWith('/fallback') ? `, or keep what runs: rm ${link}` : '';
    return new UpdaterError('HOST_STATE', `${link} names ${there}, which is gone`, {
      remedy: `Put the directory ${home}/${there} back${keep}. Until then no update is taken, and a restart may fail.`,
    });
  }
}

async function linkTextOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    // No link is no wrong link, and what is no link at all has been told of already.
    if (['ENOENT', 'EINVAL'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

async function orProblem<T>(read: Promise<T>, otherwise: T): Promise<{ value: T; problem?: UpdaterError }> {
  try {
    return { value: await read };
  } catch (error) {
    if (error instanceof UpdaterError) return { value: otherwise, problem: error };
    throw error;
  }
}
