/**
 * The next manifest, before anybody has signed it: what it says, what it replaces, and who must sign.
 *
 * Threat: who can write to the directory (a web server, a CDN's account) would have his own entries signed by the next
 * publication. So the last manifest counts only if the publisher's keys signed it.
 */
import { UpdaterError } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { Fingerprint } from '../release.ts';
import type { TrustedKey } from '../settings.ts';
import { acceptManifest, nextTrustState } from '../trust/accept.ts';
import { readCertificates } from '../trust/certificate.ts';
import type { Certificate } from '../trust/certificate.ts';
import { readEnvelope } from '../trust/envelope.ts';
import { certificatesOf } from '../trust/key-set.ts';
import type { KeySet } from '../trust/key-set.ts';
import { readAsClient, verifyArchive } from './client.ts';
import type { Client, ReadManifest } from './client.ts';
import { exportKey, primaryFingerprint } from './gpg.ts';
import type { Gpg } from './gpg.ts';
import { refuseUnsignedArchives } from './archive-signers.ts';
import { readTrustedKeySet } from './key-sets.ts';
import { additionOf, readOffer } from './offer.ts';
import type { Offer } from './offer.ts';
import { planManifest } from './plan.ts';
import type { Publication } from './plan.ts';
import type { PublishDeps } from './publish.ts';
import { refuse, refusePublication } from './refuse.ts';
import { loadPublisherKeys } from './publisher-keys.ts';
import { about } from './remedies.ts';
import { isPlaced, MANIFEST_FILE, readManifestFile } from './site.ts';
import { LEAVE_SERIAL } from './strand.ts';
import { manifestText } from './text.ts';

export interface PublishOptions extends Omit<Publication, 'additions'> {
  /** The static directory; made when it is not there. */
  readonly directory: string;
  /** Description files of signed archives. None: the last manifest is renewed. */
  readonly releases: readonly string[];
  /** As gpg's --local-user takes them; each signs the manifest. */
  readonly signers: readonly string[];
  /** Other keys that hosts trust: one of them may have signed the last manifest, or the archives. */
  readonly otherKeys: readonly TrustedKey[];
  /** How many keys must sign, as hosts have it set. Undefined: every signer, and no fewer than last time. */
  readonly threshold?: number | undefined;
  /** Absolute URLs of copies of the directory. */
  readonly mirrors: readonly string[];
}

export interface Draft {
  readonly manifest: Manifest;
  /** The exact text to sign. */
  readonly text: string;
  readonly previous: Manifest | undefined;
  /** Archives that the directory does not hold yet. */
  readonly added: readonly Offer[];
  readonly offers: readonly Offer[];
  /** The published envelope that this replaces. */
  readonly before: Buffer | undefined;
  /** Of those who sign here. */
  readonly signerKeys: readonly Certificate[];
  /** How many of them hosts count: those of the newest key set, or all where there is none. */
  readonly counting: number;
  /** How many distinct keys must sign before it is published. */
  readonly threshold: number;
}

/** Changes nothing. Throws RELEASE_, TRUST_, ARTIFACT_ and DISK_ errors. */
export async function draftManifest(options: PublishOptions, deps: PublishDeps): Promise<Draft> {
  const signerKeys = await signerCertificates(options.signers, deps.gpg);
  const otherKeys = await loadPublisherKeys(options.otherKeys);
  const now = deps.now();
  const trust = { ...deps.gpgv, now };
  const set = await readTrustedKeySet(options.directory, [...signerKeys, ...otherKeys], trust);
  const inSet = set === undefined ? [] : certificatesOf(set);
  const client = { keys: [...signerKeys, ...otherKeys, ...inSet], threshold: 1, trust };
  const before = await readManifestFile(options.directory);
  const read = before === undefined ? undefined : await readBefore(before, options, client);
  const previous = read?.manifest;
  const offers = await Promise.all(options.releases.map(readOffer));
  const additions = offers.map((offer) => additionOf(offer, options.mirrors));
  const manifest = planManifest(previous, { ...options, additions }, now);
  refuseUnacceptable(manifest, read, now);
  const added = await checkOffers(options.directory, offers, client);
  if (set !== undefined) await refuseUnsignedArchives(options.directory, manifest, offers, set, now);
  const threshold = thresholdOf(options, set, Math.max(signerKeys.length, signatureCount(before)), now);
  const counting = set === undefined ? signerKeys : signerKeys.filter(({ fingerprint }) => isIn(set, fingerprint));
  const text = manifestText(manifest);
  return { manifest, text, previous, added, offers, before, signerKeys, counting: counting.length, threshold };
}

async function readBefore(before: Buffer, { directory }: PublishOptions, client: Client): Promise<ReadManifest> {
  return about('before', `${directory}/${MANIFEST_FILE}`, () => readAsClient(before, client));
}

function isIn({ keys }: KeySet, fingerprint: Fingerprint): boolean {
  return keys.some((each) => each.fingerprint === fingerprint);
}

function thresholdOf({ threshold }: PublishOptions, set: KeySet | undefined, otherwise: number, now: number): number {
  if (set === undefined) return threshold ?? otherwise;
  if (set.expires > now) return Math.max(threshold ?? 0, set.threshold);
  const message = `key set ${set.number} has expired; hosts believe no manifest that its keys sign`;
  throw refuse('RELEASE_KEY_SET', message, 'Publish the next key set first: node-updater release rotate.');
}

/** Hosts that ask for two signatures would refuse a manifest with one, and wait. Asked before anybody types a passphrase. */
export function refuseTooFewSigners({ counting, threshold }: Draft): void {
  if (counting >= threshold && counting > 0) return;
  const have = `${counting} of the ${Math.max(threshold, 1)} keys that must sign`;
  throw refuse(
    'RELEASE_THRESHOLD',
    `the manifest would be signed by ${have}`,
    'Give --local-user for each key at hand, or --request FILE to have the others sign on their machines. If hosts ask for fewer, say so: --threshold N.',
  );
}

/** Those archives that the directory does not hold yet; each is verified as a host would. */
async function checkOffers(directory: string, offers: readonly Offer[], client: Client): Promise<readonly Offer[]> {
  const added: Offer[] = [];
  for (const offer of offers) {
    const { entries, unpacked_size: unpackedSize } = offer.description;
    await about('archive', offer.archive, () =>
      verifyArchive(offer.archive, offer.signature, { entries, unpackedSize }, client),
    );
    if (!(await isPlaced(directory, offer.place, offer.description.sha256))) added.push(offer);
  }
  return added;
}

/** The public halves of the keys that gpg signs with, each primary key once. */
export async function signerCertificates(signers: readonly string[], gpg: Gpg): Promise<readonly Certificate[]> {
  const certificates = new Map<string, Certificate>();
  for (const signer of signers) {
    const fingerprint = await primaryFingerprint(gpg, signer);
    const exported = readCertificates(Buffer.from(await exportKey(gpg, fingerprint)));
    for (const certificate of exported) certificates.set(certificate.fingerprint, certificate);
  }
  return [...certificates.values()];
}

function signatureCount(envelope: Buffer | undefined): number {
  return envelope === undefined ? 0 : readEnvelope(envelope).signatures.length;
}

/** The last word is the rule by which a host that has the last manifest takes the next: how far a serial may jump, say. */
export function refuseUnacceptable(manifest: Manifest, previous: ReadManifest | undefined, now: number): void {
  const { name, channel } = manifest;
  const floor = previous === undefined ? undefined : nextTrustState(previous, undefined);
  try {
    acceptManifest({ manifest, text: manifestText(manifest) }, floor, { name, channel, now, buildTime: 0 });
  } catch (error) {
    if (!(error instanceof UpdaterError)) throw error;
    const message = `hosts would refuse the manifest: ${error.message}`;
    const serial = /^TRUST_(SERIAL|EQUIVOCATION)/.test(error.code);
    if (serial) throw refuse('RELEASE_SERIAL', message, LEAVE_SERIAL, error);
    throw refusePublication(message, error.remedy, error);
  }
}
