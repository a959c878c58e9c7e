/**
 * What an upgrade would do. The manifest is the one that the transaction has verified and kept a moment ago, in a file of
 * root's; the decision is made by the same function.
 */
import { readFile } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import type { Artifact } from '../manifest.ts';
import { refusalOf, dataOf } from '../machine/plan.ts';
import { quarantined } from '../machine/recover.ts';
import type { NodeName } from '../release.ts';
import { cohortOf } from '../policy/cohort.ts';
import { decide, type Decision, type Gate, type Wish } from '../policy/decide.ts';
import { parseManifest } from '../trust/manifest.ts';
import { archOf, readMachineId } from './machine-facts.ts';
import type { Target } from './ask.ts';
import type { Trouble } from './config-view.ts';
import { readFacts } from './facts.ts';
import type { Host } from './host.ts';
import type { Line } from './output.ts';

export interface DryUpgrade {
  readonly schema: 1;
  readonly dryRun: true;
  readonly node: string;
  readonly from?: string;
  readonly to?: string;
  readonly install: boolean;
  /** The upgrade itself would be refused, and so is this. */
  readonly refused?: Trouble;
  readonly gates: readonly Gate[];
  readonly archive?: { readonly bytes: number; readonly unpacked: number; readonly urls: readonly string[] };
  readonly steps: readonly string[];
}

export async function planDryUpgrade(wish: Wish, target: Target, host: Host): Promise<DryUpgrade> {
  const { layout, node, settings } = target;
  const facts = await readFacts(node, host);
  const [problem] = facts.problems;
  if (problem !== undefined) throw problem;
  const { current } = facts.links;
  const manifest = parseManifest(await manifestText(layout.manifest));
  const decision = decide(
    manifest,
    {
      current,
      arch: archOf(process.arch),
      libc: 'gnu',
      now: host.clock().now(),
      place: cohortOf(await readMachineId(), node),
      quarantined: quarantined(facts.ledger.records),
      data: dataOf(current, facts.ledger),
      backup: settings.backup === undefined ? 'none' : 'configured',
    },
    { ...wish, kind: 'upgrade' },
  );
  return report(decision, { node, current, sources: settings.source.urls, soak: settings.gate.soak });
}

interface Around {
  readonly node: NodeName;
  readonly current: string | undefined;
  readonly sources: readonly string[];
  readonly soak: number;
}

/** Pure. */
export function report(decision: Decision, around: Around): DryUpgrade {
  const { artifact, gates, install, release } = decision;
  const { node, current, sources, soak } = around;
  const refusal = refusalOf(decision, node);
  return {
    schema: 1,
    dryRun: true,
    node,
    ...(current === undefined ? {} : { from: current }),
    ...(release === undefined ? {} : { to: release.version }),
    install,
    ...(refusal === undefined
      ? {}
      : { refused: { code: refusal.code, message: refusal.message, remedy: refusal.remedy } }),
    gates,
    ...(artifact === undefined ? {} : { archive: archiveOf(artifact, sources) }),
    steps: install ? steps(current, release?.version ?? '', soak) : [],
  };
}

/** Relative URLs count from each place that the manifest may have come from. */
function archiveOf({ size, unpackedSize, url }: Artifact, sources: readonly string[]) {
  const urls = url.flatMap((one) => sources.map((source) => new URL(one, source).href));
  return { bytes: size, unpacked: unpackedSize, urls: [...new Set(urls)] };
}

function steps(from: string | undefined, to: string, soak: number): string[] {
  return [
    `fetch, verify and stage ${to}${from === undefined ? '' : '; the node keeps running'}`,
    ...(from === undefined ? [] : [`arm the fallback to ${from}`]),
    `activate and start ${to}`,
    `soak ${soak / 1000} s under the health gate`,
    from === undefined ? `commit, or remove ${to} again` : `commit, or systemd puts ${from} back`,
  ];
}

export function dryUpgradeLines(plan: DryUpgrade): Line[] {
  const { archive, from, gates, install, node, refused, steps: planned, to } = plan;
  if (refused !== undefined) {
    return [
      { text: `${node} would stay at ${from ?? 'nothing'}. ${refused.message}`, tone: 'bad' },
      `  → ${refused.remedy}`,
    ];
  }
  if (!install) {
    const rows = gates.filter(({ passed }) => !passed).map(({ message }) => `  ${message}`);
    return [`${node} would stay at ${from ?? 'nothing'}: nothing to do.`, ...rows];
  }
  return [
    `${node} would go ${from ?? 'nothing'} → ${to ?? ''}. Nothing was changed.`,
    ...(archive === undefined
      ? []
      : [`  ${archive.bytes} bytes (${archive.unpacked} unpacked) from`, ...archive.urls.map((url) => `    ${url}`)]),
    ...planned.map((step, at) => `  ${at + 1}. ${step}`),
  ];
}

async function manifestText(path: string): Promise<string> {
  try {
    const envelope = JSON.parse(await readFile(path, 'utf8')) as { readonly manifest?: unknown };
    if (typeof envelope.manifest === 'string') return envelope.manifest;
    throw new TypeError('no manifest in the envelope');
  } catch (cause) {
    throw new UpdaterError('HOST_STATE', `The kept manifest ${path} cannot be read`, {
      cause,
      remedy: 'It is written anew by every look that gets an answer. Type: sudo node-updater check',
    });
  }
}
