/**
 * Whether hosts that hold a key set would still take the archives that a manifest states: after a rotation the signature of
 * an older archive may be by a key that has left. Looks at signatures alone: archives are large, and were verified before.
 */
import { readFile } from 'node:fs/promises';
import { diskError, errnoOf } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Artifact, Manifest } from '../manifest.ts';
import type { Certificate } from '../trust/certificate.ts';
import { certificatesOf } from '../trust/key-set.ts';
import type { KeySet } from '../trust/key-set.ts';
import { checkSigner } from '../trust/openpgp.ts';
import { splitBlock } from '../trust/verify.ts';
import type { Offer } from './offer.ts';
import { refuse } from './refuse.ts';
import { localPath } from './site.ts';

/** Throws RELEASE_THRESHOLD naming the first archive that no key of the set has signed. Signatures that lie elsewhere are not looked at. */
export async function refuseUnsignedArchives(
  directory: string,
  { releases }: Manifest,
  offers: readonly Offer[],
  set: KeySet,
  now: number,
): Promise<void> {
  const offered = new Map(offers.map(({ signaturePlace, signature }) => [signaturePlace, signature]));
  const keys = certificatesOf(set);
  for (const { version, artifacts } of releases) {
    for (const artifact of artifacts) {
      const place = localPath(artifact.signature);
      if (place === undefined) continue;
      const signature = offered.get(place) ?? (await readSignature(`${directory}/${place}`));
      if (signature === undefined || !(await isBy(signature, keys, now))) throw unsigned(version, artifact, set);
    }
  }
}

async function readSignature(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, 'read', path);
  }
}

async function isBy(armoured: Buffer, keys: readonly Certificate[], now: number): Promise<boolean> {
  const packets = splitBlock(armoured, LIMITS.signaturesPerManifest);
  if ('reason' in packets) return false;
  for (const packet of packets) {
    for (const key of keys) {
      if ((await checkSigner(packet, key, now)) === undefined) return true;
    }
  }
  return false;
}

function unsigned(version: string, artifact: Artifact, { number }: KeySet): Error {
  const file = artifact.url[0] ?? '';
  return refuse(
    'RELEASE_THRESHOLD',
    `no key of key set ${number} has signed the archive of ${version}: ${file}`,
    'Sign it again with a key of the set (node-updater release sign -u KEY ARCHIVE), and publish its .release.json with the others; or let the manifest state fewer releases: --keep N.',
  );
}
