/** What a publication changes, and what a verification found, in lines for people. */
import type { Manifest } from '../manifest.ts';
import type { PublicationPlan } from './publish.ts';
import { timeText } from './text.ts';
import type { VerifyReport } from './verify.ts';

/** Each line begins with a verb, so that `would` may stand before it. */
export function describePlan({ manifest, previous, added }: PublicationPlan): readonly string[] {
  const gone = dropped(previous, manifest);
  return [
    ...added.map(({ place }) => `add ${place}`),
    ...(gone.length === 0 ? [] : [`drop from the manifest ${gone.join(', ')}`]),
    ...changed('suggest', previous?.suggested, manifest.suggested),
    ...changed('require at least', previous?.minimum, manifest.minimum),
    ...changed('withdraw', previous?.withdrawn.join(', ') ?? '', manifest.withdrawn.join(', ')),
    `publish ${manifest.name} ${manifest.channel} serial ${manifest.serial}, expires ${timeText(manifest.expires)}`,
  ];
}

export function describeReport({ manifest, signers, artifacts }: VerifyReport): readonly string[] {
  return [
    `${manifest.name} ${manifest.channel} serial ${manifest.serial}, expires ${timeText(manifest.expires)}`,
    `signed by ${signers.join(', ')}`,
    `suggests ${manifest.suggested}`,
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
