/**
 * `release publish`: the static directory. Everything that a manifest names is in place before `manifest.json` changes, by
 * one rename, so whoever fetches sees the last publication or this one.
 *
 * Threat: as for the draft; and what was signed elsewhere comes back on a stick or by mail. So what was made is read back
 * as a host would before it replaces anything.
 */
import type { Files } from '../host/ports.ts';
import type { Manifest } from '../manifest.ts';
import type { Certificate } from '../trust/certificate.ts';
import type { Gpgv } from '../trust/gpgv.ts';
import { readAsClient } from './client.ts';
import { draftManifest, refuseTooFewSigners } from './draft.ts';
import type { Draft, PublishOptions } from './draft.ts';
import { signText } from './gpg.ts';
import type { Gpg } from './gpg.ts';
import type { Offer } from './offer.ts';
import { placeOffers } from './place.ts';
import { refuse } from './refuse.ts';
import { makeRequest } from './request.ts';
import type { SigningRequest } from './request.ts';
import { MANIFEST_FILE, readManifestFile } from './site.ts';
import { lockingSite } from './site-lock.ts';
import { sweepSite } from './site-sweep.ts';
import { envelopeText } from './text.ts';
import { describePlan, describeManifest } from './words.ts';

export type { PublishOptions } from './draft.ts';

export interface SignDeps {
  readonly gpg: Gpg;
  readonly files: Files;
  readonly gpgv: Gpgv;
  /** Milliseconds since the epoch; asked again after signing, which may wait for a person. */
  readonly now: () => number;
}

export interface PublishDeps extends SignDeps {
  /** Told what will change, before anything does and before anybody signs. */
  readonly announce?: (plan: PublicationPlan) => void;
}

export interface PublicationPlan {
  readonly manifest: Manifest;
  readonly previous: Manifest | undefined;
  /** Archives that the directory does not hold yet. */
  readonly added: readonly Offer[];
}

/** What `publishRelease` would do; changes nothing. Throws all that it would, but for errors of the disk and of signing. */
export async function planPublication(options: PublishOptions, deps: PublishDeps): Promise<PublicationPlan> {
  const draft = await draftManifest(options, deps);
  refuseTooFewSigners(draft);
  return draft;
}

/** What `requestPublication` would do: as `planPublication`, whoever will sign. */
export async function planRequest(options: PublishOptions, deps: PublishDeps): Promise<PublicationPlan> {
  return draftManifest(options, deps);
}

/** Throws RELEASE_, TRUST_ and DISK_ errors; `manifest.json` is then as it was. */
export async function publishRelease(options: PublishOptions, deps: PublishDeps): Promise<PublicationPlan> {
  const draft = await draftManifest(options, deps);
  refuseTooFewSigners(draft);
  deps.announce?.(draft);
  await placeOffers(options.directory, draft.offers, { files: deps.files, run: deps.gpgv.run });
  const envelope = envelopeText(draft.text, await signaturesOf(draft.text, options.signers, deps));
  await readBack(envelope, draft.signerKeys, draft.signerKeys.length, deps);
  await replaceManifest(options.directory, envelope, draft.before, deps);
  return draft;
}

/** As `publishRelease` up to the manifest, which others still have to sign; those who sign here have done so. */
export async function requestPublication(
  options: PublishOptions,
  deps: PublishDeps,
): Promise<{ readonly plan: PublicationPlan; readonly request: SigningRequest }> {
  const draft = await draftManifest(options, deps);
  deps.announce?.(draft);
  await placeOffers(options.directory, draft.offers, { files: deps.files, run: deps.gpgv.run });
  return { plan: draft, request: await requestOf(draft, options.signers, deps) };
}

async function requestOf(draft: Draft, signers: readonly string[], deps: PublishDeps): Promise<SigningRequest> {
  const signatures = await signaturesOf(draft.text, signers, deps);
  if (signatures.length > 0) {
    await readBack(envelopeText(draft.text, signatures), draft.signerKeys, draft.signerKeys.length, deps);
  }
  const says = describeManifest(draft.manifest);
  const changes = describePlan({ ...draft, added: [] });
  const previous = draft.before?.toString('utf8');
  return makeRequest({ kind: 'manifest', text: draft.text, previous, says, changes, signatures });
}

/** One armour block for each signer. */
export async function signaturesOf(
  text: string,
  signers: readonly string[],
  { gpg }: Pick<SignDeps, 'gpg'>,
): Promise<readonly string[]> {
  const signatures: string[] = [];
  for (const signer of signers) signatures.push((await signText(gpg, text, [signer])).armoured);
  return signatures;
}

/** Throws the TRUST_ error of a host that trusts these keys. */
async function readBack(
  envelope: string,
  keys: readonly Certificate[],
  threshold: number,
  deps: PublishDeps,
): Promise<void> {
  await readAsClient(Buffer.from(envelope), { keys, threshold, trust: { ...deps.gpgv, now: deps.now() } });
}

/** Throws RELEASE_SERIAL when the published manifest is no longer `before`. */
export async function replaceManifest(
  directory: string,
  envelope: string,
  before: Buffer | undefined,
  { files, gpgv }: Pick<SignDeps, 'files' | 'gpgv'>,
): Promise<void> {
  await files.makeDirectory(directory, 0o755);
  await lockingSite(directory, gpgv.run, async () => {
    await refuseRace(directory, before);
    await sweepSite(directory, { files, run: gpgv.run });
    await files.replace(`${directory}/${MANIFEST_FILE}`, envelope, 0o644);
  });
}

/** Two publications at once would give two manifests one serial. */
async function refuseRace(directory: string, before: Buffer | undefined): Promise<void> {
  const now = await readManifestFile(directory);
  if (now === before || (now !== undefined && before !== undefined && now.equals(before))) return;
  throw refuse(
    'RELEASE_SERIAL',
    'the manifest changed while this publication was made; two manifests would carry one serial',
    'Type the command again. A signing request must be made again, too.',
  );
}
