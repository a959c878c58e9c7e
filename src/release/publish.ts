/**
 * `release publish`: the static directory. Everything that a manifest names is in place before `manifest.json` changes, by
 * one rename, so whoever fetches sees the last publication or this one.
 *
 * Threat: who can write to the directory (a web server, a CDN's account) would have his own entries signed by the next
 * publication. So the last manifest counts only if the publisher's keys signed it, and what was made is read back
 * as a host would before it replaces anything.
 */
import { UpdaterError } from '../errors.ts';
import type { Files } from '../host/ports.ts';
import type { Manifest } from '../manifest.ts';
import type { TrustedKey } from '../settings.ts';
import { acceptManifest, nextTrustState } from '../trust/accept.ts';
import { readCertificates } from '../trust/certificate.ts';
import type { Certificate } from '../trust/certificate.ts';
import { loadKeys } from '../trust/keys.ts';
import type { Gpgv } from '../trust/gpgv.ts';
import { readAsClient, verifyArchive } from './client.ts';
import type { ReadManifest } from './client.ts';
import { SUFFIX } from './description.ts';
import { exportKey, primaryFingerprint, signText } from './gpg.ts';
import type { Gpg } from './gpg.ts';
import { additionOf, readOffer } from './offer.ts';
import type { Offer } from './offer.ts';
import { planManifest } from './plan.ts';
import type { Publication } from './plan.ts';
import { refusePublication } from './refuse.ts';
import { isPlaced, MANIFEST_FILE, placeArchive, readManifestFile } from './site.ts';
import { envelopeText, manifestText } from './text.ts';

export interface PublishOptions extends Omit<Publication, 'additions'> {
  /** The static directory; made when it is not there. */
  readonly directory: string;
  /** Description files of signed archives. None: the last manifest is renewed. */
  readonly releases: readonly string[];
  /** As gpg's --local-user takes them; each signs the manifest. */
  readonly signers: readonly string[];
  /** Other keys that hosts trust: one of them may have signed the last manifest, or the archives. */
  readonly otherKeys: readonly TrustedKey[];
  /** Absolute URLs of copies of the directory. */
  readonly mirrors: readonly string[];
}

export interface PublishDeps {
  readonly gpg: Gpg;
  readonly files: Files;
  readonly gpgv: Gpgv;
  /** Milliseconds since the epoch; asked again after signing, which may wait for a person. */
  readonly now: () => number;
}

export interface PublicationPlan {
  readonly manifest: Manifest;
  readonly previous: Manifest | undefined;
  /** Archives that the directory does not hold yet. */
  readonly added: readonly Offer[];
}

interface Prepared extends PublicationPlan {
  readonly offers: readonly Offer[];
  readonly before: Buffer | undefined;
  readonly signerKeys: readonly Certificate[];
}

/** What `publishRelease` would do; changes nothing. Throws all that it would, but for errors of the disk and of signing. */
export async function planPublication(options: PublishOptions, deps: PublishDeps): Promise<PublicationPlan> {
  return prepare(options, deps);
}

/** Throws RELEASE_REFUSED, RELEASE_INPUT, RELEASE_GPG, TRUST_ and DISK_ errors; `manifest.json` is then as it was. */
export async function publishRelease(options: PublishOptions, deps: PublishDeps): Promise<PublicationPlan> {
  const prepared = await prepare(options, deps);
  for (const { archive, description, place, signature } of prepared.offers) {
    await placeArchive(archive, `${options.directory}/${place}`, description.sha256, deps.files);
    await deps.files.replace(`${options.directory}/${place}${SUFFIX.signature}`, signature, 0o644);
  }
  const envelope = await signedEnvelope(prepared, options.signers, deps);
  await refuseRace(options.directory, prepared.before);
  await deps.files.makeDirectory(options.directory, 0o755);
  await deps.files.replace(`${options.directory}/${MANIFEST_FILE}`, envelope, 0o644);
  return prepared;
}

async function prepare(options: PublishOptions, deps: PublishDeps): Promise<Prepared> {
  if (options.signers.length === 0) {
    throw refusePublication('nobody signs the manifest', 'Give --local-user with the fingerprint of your key.');
  }
  const signerKeys = await signerCertificates(options.signers, deps.gpg);
  const otherKeys = options.otherKeys.length === 0 ? [] : await loadKeys(options.otherKeys);
  const now = deps.now();
  const client = { keys: [...signerKeys, ...otherKeys], threshold: 1, trust: { ...deps.gpgv, now } };
  const before = await readManifestFile(options.directory);
  const read = before === undefined ? undefined : await readAsClient(before, client);
  const previous = read?.manifest;
  const offers = await Promise.all(options.releases.map(readOffer));
  const additions = offers.map((offer) => additionOf(offer, options.mirrors));
  const manifest = planManifest(previous, { ...options, additions }, now);
  const added: Offer[] = [];
  for (const offer of offers) {
    const { entries, unpacked_size: unpackedSize } = offer.description;
    await verifyArchive(offer.archive, offer.signature, { entries, unpackedSize }, client);
    if (!(await isPlaced(`${options.directory}/${offer.place}`, offer.description.sha256))) added.push(offer);
  }
  refuseUnacceptable(manifest, read, now);
  return { manifest, previous, added, offers, before, signerKeys };
}

async function signerCertificates(signers: readonly string[], gpg: Gpg): Promise<readonly Certificate[]> {
  const certificates = new Map<string, Certificate>();
  for (const signer of signers) {
    const fingerprint = await primaryFingerprint(gpg, signer);
    const exported = readCertificates(Buffer.from(await exportKey(gpg, fingerprint)));
    for (const certificate of exported) certificates.set(certificate.fingerprint, certificate);
  }
  return [...certificates.values()];
}

/** One armour block for each signer, then read back with every signer required. */
async function signedEnvelope(prepared: Prepared, signers: readonly string[], deps: PublishDeps): Promise<string> {
  const text = manifestText(prepared.manifest);
  const signatures: string[] = [];
  for (const signer of signers) signatures.push((await signText(deps.gpg, text, [signer])).armoured);
  const envelope = envelopeText(text, signatures);
  const trust = { ...deps.gpgv, now: deps.now() };
  await readAsClient(Buffer.from(envelope), {
    keys: prepared.signerKeys,
    threshold: prepared.signerKeys.length,
    trust,
  });
  return envelope;
}

/** The last word is the rule by which a host that has the last manifest takes the next: how far a serial may jump, say. */
function refuseUnacceptable(manifest: Manifest, previous: ReadManifest | undefined, now: number): void {
  const { name, channel } = manifest;
  const floor = previous === undefined ? undefined : nextTrustState(previous, undefined);
  try {
    acceptManifest({ manifest, text: manifestText(manifest) }, floor, { name, channel, now, buildTime: 0 });
  } catch (error) {
    if (!(error instanceof UpdaterError)) throw error;
    throw refusePublication(`hosts would refuse the manifest: ${error.message}`, error.remedy, error);
  }
}

/** Two publications at once would give two manifests one serial. */
async function refuseRace(directory: string, before: Buffer | undefined): Promise<void> {
  const now = await readManifestFile(directory);
  if (now === before || (now !== undefined && before !== undefined && now.equals(before))) return;
  throw refusePublication('the manifest changed while this publication was made', 'Type the command again.');
}
