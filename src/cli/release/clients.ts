/** What hosts get from a manifest: asked of the very decision that they make. */
import type { Artifact, Manifest } from '../../manifest.ts';
import { decide } from '../../policy/decide.ts';
import type { Decision } from '../../policy/decide.ts';
import type { Version } from '../../release.ts';
import { EVERYBODY, NOBODY, percentOf } from '../../release/rollout.ts';

/** What the hosts of one platform with one version (or none) get. */
export interface Client {
  readonly arch: Artifact['arch'];
  readonly libc: 'gnu' | 'musl';
  readonly current: Version | undefined;
  /** For those that the rollout has reached: all, where there is none. */
  readonly reached: Outcome;
  readonly others: Outcome;
  /** How many hosts are reached, in percent. */
  readonly percent: number;
}

export type Outcome = { readonly gets: Version } | { readonly gets: undefined; readonly why: string };

const ARCHES = ['amd64', 'arm64'] as const;
const LIBCS = ['gnu', 'musl'] as const;

export function clientsOf(manifest: Manifest, now: number): readonly Client[] {
  const { rollout, suggested, releases } = manifest;
  const percent = rollout?.version === suggested ? percentOf(rollout.cursor) : 100;
  const versions = [undefined, ...releases.map(({ version }) => version)];
  return ARCHES.flatMap((arch) =>
    LIBCS.filter((libc) => hasArtifact(manifest, arch, libc)).flatMap((libc) =>
      versions.map((current) => ({
        ...{ arch, libc, current, percent },
        reached: outcome(atCursor(manifest, EVERYBODY), { arch, libc, current, now }),
        others: outcome(atCursor(manifest, NOBODY), { arch, libc, current, now }),
      })),
    ),
  );
}

export function describeClients(clients: readonly Client[]): readonly string[] {
  return clients.map(({ arch, libc, current, reached, others, percent }) => {
    const who = `a host on ${arch} ${libc} ${current === undefined ? 'without a version' : `with ${current}`}`;
    if (describe(reached) === describe(others) || percent === 100) return `${who} ${describe(reached)}`;
    if (percent === 0) return `${who} ${describe(others)}`;
    return `${who} ${describe(reached)} (${percent} % of them; of the others each ${describe(others)})`;
  });
}

function describe(outcome: Outcome): string {
  return outcome.gets === undefined ? `gets nothing: ${outcome.why}` : `gets ${outcome.gets}`;
}

function hasArtifact({ releases }: Manifest, arch: Artifact['arch'], libc: 'gnu' | 'musl'): boolean {
  const fits = (artifact: Artifact): boolean =>
    artifact.arch === arch && (artifact.libc === libc || artifact.libc === 'static');
  return releases.some(({ artifacts }) => artifacts.some(fits));
}

function atCursor(manifest: Manifest, cursor: string): Manifest {
  return manifest.rollout === undefined ? manifest : { ...manifest, rollout: { ...manifest.rollout, cursor } };
}

type Host = Pick<Client, 'arch' | 'libc' | 'current'> & { readonly now: number };

function outcome(manifest: Manifest, host: Host): Outcome {
  const running = manifest.releases.find(({ version }) => version === host.current);
  const facts = { ...host, place: Buffer.alloc(32), quarantined: new Map(), data: running, backup: 'none' as const };
  const decision = decide(manifest, facts, { force: [] });
  if (decision.install && decision.release !== undefined) return { gets: decision.release.version };
  return { gets: undefined, why: blocking(decision) };
}

function blocking({ gates }: Decision): string {
  return gates.find(({ passed }) => !passed)?.message ?? 'it has what is offered';
}
