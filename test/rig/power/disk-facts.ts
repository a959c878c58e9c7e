/** What a mounted disk says of the node: read by the product's own readers, judged by nobody yet. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readLinks, type Links } from '../../../src/activation/links.ts';
import { listStaged } from '../../../src/activation/stage.ts';
import { verifyVersion, type Verdict } from '../../../src/activation/verify-version.ts';
import { layoutAt, type NodeLayout } from '../../../src/layout.ts';
import { readLedger, type LedgerText } from '../../../src/machine/ledger.ts';
import { parseVersion } from '../../../src/release.ts';
import type { NodeName } from '../../../src/release.ts';
import { loadTrustState } from '../../../src/trust/accept.ts';

export const NODE = 'demo' as NodeName;

/** Or what is wrong with it. */
export type Read<T> = { readonly value: T } | { readonly wrong: string };

export interface DiskFacts {
  readonly links: Read<Links>;
  /** By its name the digest of each version directory that has its final name. */
  readonly versions: ReadonlyMap<string, string>;
  /** Of them, those whose record says that they are staged. */
  readonly staged: ReadonlySet<string>;
  /** Of them, what their listings say. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly ledger: Read<LedgerText>;
  /** The highest serial seen; 0 before the first contact. */
  readonly serial: Read<number>;
  /** What makes systemd run the fallback at boot; '' when it is not there. */
  readonly dropIn: string;
}

/** `root` stands for `/`. */
export async function readDisk(root: string): Promise<DiskFacts> {
  const layout = layoutAt(root).node(NODE);
  const staged = await listStaged(layout);
  const verdicts = new Map<string, Verdict>();
  for (const version of staged) verdicts.set(version, await verifyVersion(version, layout, () => undefined));
  return {
    links: await attempt(() => readLinks(layout)),
    versions: await versionsOf(layout),
    staged: new Set(staged),
    verdicts,
    ledger: await attempt(() => readLedger(layout.ledger)),
    serial: await attempt(async () => (await loadTrustState(layout.trustState))?.serial ?? 0),
    dropIn: await textOr(layout.unitDropIn, ''),
  };
}

export function linksOf(root: string): Promise<Read<Links>> {
  return attempt(() => readLinks(layoutAt(root).node(NODE)));
}

async function attempt<T>(read: () => Promise<T>): Promise<Read<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    return { wrong: String(error) };
  }
}

async function versionsOf({ versions }: NodeLayout): Promise<Map<string, string>> {
  const names = (await namesIn(versions)).filter((name) => parseVersion(name) !== undefined);
  return new Map(names.map((name) => [name, treeDigest(join(versions, name))]));
}

/** Of every name, type, link, right to execute and byte of a directory; owner and times are left out. */
export function treeDigest(directory: string): string {
  const hash = createHash('sha256');
  const add = (path: string, name: string): void => {
    const stats = lstatSync(path);
    hash.update(`${name}\0`);
    if (stats.isSymbolicLink()) hash.update(`link ${readlinkSync(path)}`);
    else if (stats.isFile()) hash.update(`file ${stats.mode & 0o111} `).update(readFileSync(path));
    else if (!stats.isDirectory()) hash.update('special');
    else for (const child of readdirSync(path).sort()) add(join(path, child), `${name}/${child}`);
  };
  add(directory, '');
  return hash.digest('hex');
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function textOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise;
    throw error;
  }
}
