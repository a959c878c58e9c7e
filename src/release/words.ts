/** What a manifest says, what a publication changes, and what a verification found, in lines for people. */
import type { Artifact, Manifest, Release } from '../manifest.ts';
import type { PublicationPlan } from './publish.ts';
import { percentOf } from './rollout.ts';
import { platformOf } from './strand.ts';
import { timeText } from './text.ts';
import type { VerifyReport } from './verify.ts';

/** Each line begins with a verb, so that `would` may stand before it. */
export function describePlan({ manifest, previous, added }: PublicationPlan): readonly string[] {
  const gone = dropped(previous, manifest);
  return [
    // Seen in time, it tells who mistyped the directory: hosts that know a higher serial refuse what is begun anew.
    ...(previous === undefined ? [`begin ${manifest.name} ${manifest.channel}: nothing is published here yet`] : []),
    ...added.map(({ place }) => `add ${place}`),
    ...released(previous, manifest, added),
    ...restated(previous, manifest),
    ...(gone.length === 0 ? [] : [`drop from the manifest ${gone.join(', ')}`]),
    ...changed('suggest', previous?.suggested, manifest.suggested),
    ...changed('require at least', previous?.minimum, manifest.minimum),
    ...changed('withdraw', previous?.withdrawn.join(', ') ?? '', manifest.withdrawn.join(', ')),
    ...offered(previous, manifest),
    `publish ${manifest.name} ${manifest.channel} serial ${manifest.serial}, expires ${timeText(manifest.expires)}`,
  ];
}

/** The whole statement, release by release: for who is to sign it. */
export function describeManifest(manifest: Manifest): readonly string[] {
  const { name, channel, serial, published, expires, suggested, minimum, withdrawn, releases } = manifest;
  return [
    `${name} ${channel} serial ${serial}, published ${timeText(published)}, expires ${timeText(expires)}`,
    `suggests ${suggested}${minimum === undefined ? '' : `, requires at least ${minimum}`}`,
    `offers ${offerOf(manifest)}`,
    ...(withdrawn.length === 0 ? [] : [`withdrawn: ${withdrawn.join(', ')}`]),
    ...releases.flatMap(describeRelease),
  ];
}

function describeRelease({ version, severity, epoch, rollback, notes, notBefore, artifacts }: Release): string[] {
  const facts = [
    severity,
    `epoch ${epoch}`,
    `rollback ${rollback}`,
    ...(notBefore === undefined ? [] : [`not before ${timeText(notBefore)}`]),
    ...(notes === undefined ? [] : [`notes ${JSON.stringify(notes)}`]),
  ];
  return [
    `release ${version}: ${facts.join(', ')}`,
    ...artifacts.flatMap((each) => [
      `  ${platformOf(each)}: ${each.size} bytes, sha256 ${each.sha256}`,
      `    unpacked ${each.unpackedSize} bytes in ${each.entries} entries, from ${each.url.join(' or ')}`,
    ]),
  ];
}

/** `1.1.0 to 5 % of hosts` */
export function offerOf({ rollout, suggested }: Pick<Manifest, 'rollout' | 'suggested'>): string {
  if (rollout?.version !== suggested) return `${suggested} to all hosts`;
  const percent = percentOf(rollout.cursor);
  if (percent === 0) return `${suggested} to no more hosts`;
  return percent === 100 ? `${suggested} to all hosts` : `${suggested} to ${percent} % of hosts`;
}

/** What a request says of archives that were put into place when it was made. */
function released(
  previous: Manifest | undefined,
  manifest: Manifest,
  added: PublicationPlan['added'],
): readonly string[] {
  const placed = new Set(added.map(({ description }) => description.sha256));
  return manifest.releases.flatMap(({ version, artifacts }) => {
    const known = previous?.releases.find((each) => each.version === version)?.artifacts.map(platformOf) ?? [];
    const fresh = artifacts.filter((each) => !known.includes(platformOf(each)) && !placed.has(each.sha256));
    return fresh.length === 0 ? [] : [`state ${version} for ${fresh.map(platformOf).join(', ')}`];
  });
}

/** What is said anew of an archive that is published already: where it lies, how much it unpacks to, who signed it. */
function restated(previous: Manifest | undefined, manifest: Manifest): readonly string[] {
  return manifest.releases.flatMap(({ version, artifacts }) => {
    const known = previous?.releases.find((each) => each.version === version)?.artifacts ?? [];
    return artifacts.flatMap((artifact) => {
      const was = known.find((each) => platformOf(each) === platformOf(artifact));
      const fields =
        was === undefined ? [] : RESTATED.filter((field) => String(was[field]) !== String(artifact[field]));
      const said = fields.map((field) => field.replace('S', '_s')).join(', ');
      return said === '' ? [] : [`restate ${version} for ${platformOf(artifact)}: ${said}`];
    });
  });
}

const RESTATED = ['url', 'size', 'unpackedSize', 'entries', 'signature'] as const satisfies (keyof Artifact)[];

function offered(previous: Manifest | undefined, manifest: Manifest): readonly string[] {
  if (previous?.rollout === undefined && manifest.rollout === undefined) return [];
  return changed('offer', previous === undefined ? undefined : offerOf(previous), offerOf(manifest));
}

export function describeReport({ manifest, signers, keySet, artifacts }: VerifyReport): readonly string[] {
  return [
    `${manifest.name} ${manifest.channel} serial ${manifest.serial}, expires ${timeText(manifest.expires)}`,
    `signed by ${signers.join(', ')}${keySet === 1 ? '' : ` of key set ${keySet}`}`,
    `suggests ${manifest.suggested}${manifest.minimum === undefined ? '' : `, requires at least ${manifest.minimum}`}`,
    ...(manifest.withdrawn.length === 0 ? [] : [`withdrawn: ${manifest.withdrawn.join(', ')}`]),
    ...artifacts.map(({ version, artifact: { os, arch, libc }, state }) => {
      const found = state === 'verified' ? 'verified' : 'not checked: it lies elsewhere';
      return `${version} ${os} ${arch} ${libc}: ${found}`;
    }),
  ];
}

function dropped(previous: Manifest | undefined, manifest: Manifest): readonly string[] {
  const stated = new Set(manifest.releases.map(({ version }) => version));
  return (previous?.releases ?? []).map(({ version }) => version).filter((version) => !stated.has(version));
}

function changed(verb: string, before: string | undefined, after: string | undefined): readonly string[] {
  if (after === undefined || after === before) return [];
  return [before === undefined || before === '' ? `${verb} ${after}` : `${verb} ${after} (was ${before})`];
}
