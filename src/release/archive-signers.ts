/**
 * Whether hosts that hold a key set would still take the archives that a manifest states: after a rotation the signature of
 * an older archive may be by a key that has left. Looks at signatures alone: archives are large, and were verified before.
 */
import { readFile } from 'node:fs/promises';
import { diskError, errnoOf } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Manifest } from '../manifest.ts';
import type { Version } from '../release.ts';
import type { Certificate } from '../trust/certificate.ts';
import { certificatesOf } from '../trust/key-set.ts';
import type { KeySet } from '../trust/key-set.ts';
import { checkSigner } from '../trust/openpgp.ts';
import { splitBlock } from '../trust/verify.ts';
import type { Offer } from './offer.ts';
import { refuse } from './refuse.ts';
import { localPath, readPublished } from './site.ts';

interface UnsignedArchive {
  readonly version: Version;
  /** Its first URL. */
  readonly file: string;
}

/** Throws RELEASE_THRESHOLD naming the first archive that no key of the set has signed. */
export async function refuseUnsignedArchives(
  directory: string,
  manifest: Manifest,
  offers: readonly Offer[],
  set: KeySet,
  now: number,
): Promise<void> {
  const [first] = await unsignedArchives(directory, manifest, offers, set, now);
  if (first === undefined) return;
  throw refuse(
    'RELEASE_THRESHOLD',
    `no key of key set ${set.number} has signed the archive of ${first.version}: ${first.file}`,
    'Sign it again with a key of the set (node-updater release sign -u KEY ARCHIVE), and publish its .release.json with the others; or let the manifest state fewer releases: --keep N.',
  );
}

/** Lines for whoever is about to publish `set`: which archives would be lost to hosts that hold it, and how they are saved. */
export async function warnUnsignedArchives(directory: string, set: KeySet, now: number): Promise<readonly string[]> {
  const manifest = await readPublished(directory);
  if (manifest === undefined) return [];
  const unsigned = await unsignedArchives(directory, manifest, [], set, now);
  if (unsigned.length === 0) return [];
  const files = unsigned.map(({ version, file }) => `  ${version}: ${file}`);
  return [
    `warning: no key of key set ${set.number} has signed what hosts that hold it will be offered:`,
    ...files,
    `  Let a key that stays or joins sign each, beside one that leaves: node-updater release sign ARCHIVE -u KEY -u KEY`,
    `  and publish it again: node-updater release publish ${directory} ARCHIVE’S.release.json -u KEY…`,
  ];
}

/** Signatures that lie elsewhere are not looked at. */
async function unsignedArchives(
  directory: string,
  { releases }: Manifest,
  offers: readonly Offer[],
  set: KeySet,
  now: number,
): Promise<readonly UnsignedArchive[]> {
  const offered = new Map(offers.map(({ signaturePlace, signature }) => [signaturePlace, signature]));
  const keys = certificatesOf(set);
  const unsigned: UnsignedArchive[] = [];
  for (const { version, artifacts } of releases) {
    for (const {
      signature: url,
      url: [file = ''],
    } of artifacts) {
      const place = localPath(url);
      if (place === undefined) continue;
      const signature = offered.get(place) ?? (await readSignature(`${directory}/${place}`));
      if (signature === undefined || !(await isBy(signature, keys, now))) unsigned.push({ version, file });
    }
  }
  return unsigned;
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
