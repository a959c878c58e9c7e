/** `release publish --signed`: publishing what enough machines have signed. */
import type { Manifest } from '../manifest.ts';
import type { TrustedKey } from '../settings.ts';
import type { Certificate } from '../trust/certificate.ts';
import { certificatesOf } from '../trust/key-set.ts';
import { readAsClient } from './client.ts';
import { judgeRequest, readKeySets } from './countersign.ts';
import type { Judged } from './countersign.ts';
import { readNewestKeySet } from './key-sets.ts';
import { replaceManifest } from './publish.ts';
import type { SignDeps } from './publish.ts';
import { loadPublisherKeys } from './publisher-keys.ts';
import { refuse } from './refuse.ts';
import { readRequest } from './request.ts';
import type { SigningRequest } from './request.ts';
import { placeKeySet } from './rotate.ts';
import { fileFacts, localPath, readManifestFile } from './site.ts';
import type { ReleaseForce } from './strand.ts';
import { envelopeText } from './text.ts';

export interface CompleteOptions {
  readonly directory: string;
  /** The signing request. */
  readonly path: string;
  /** As hosts have them; none are needed where the directory has key sets. */
  readonly keys: readonly TrustedKey[];
  /** Undefined: that of the newest key set, or else all of `keys`. */
  readonly threshold: number | undefined;
  readonly force: readonly ReleaseForce[];
}

export interface Completion extends Judged {
  readonly request: SigningRequest;
}

/**
 * What `completePublication` would publish; changes nothing. Throws what `judgeRequest` does, and RELEASE_THRESHOLD when too few
 * have signed a manifest.
 */
export async function planCompletion(options: CompleteOptions, deps: Omit<SignDeps, 'gpg'>): Promise<Completion> {
  const request = await readRequest(options.path);
  const published = (await readPublished(options.directory, request.kind)) ?? Buffer.alloc(0);
  if (published.length === 0 && request.previous !== undefined) throw otherPlace(options);
  const judged = judgeRequest(request, { now: deps.now(), force: options.force, published });
  if (request.kind === 'manifest') await refuseMissing(options.directory, await readSigned(request, options, deps));
  return { request, ...judged };
}

/** Publishes it. Throws RELEASE_KEY_SET when too few have signed a key set. */
export async function completePublication(
  options: CompleteOptions,
  deps: Omit<SignDeps, 'gpg'> & { readonly announce?: (completion: Completion) => void },
): Promise<Completion> {
  const completion = await planCompletion(options, deps);
  deps.announce?.(completion);
  const { request } = completion;
  const envelope = envelopeText(request.text, request.signatures);
  if (request.kind === 'keys') {
    await placeKeySet(options.directory, readKeySets(request), envelope, deps);
    return completion;
  }
  const before = request.previous === undefined ? undefined : Buffer.from(request.previous);
  await replaceManifest(options.directory, envelope, before, deps);
  return completion;
}

function otherPlace({ directory, path }: CompleteOptions): Error {
  return refuse(
    'RELEASE_REQUEST',
    `${directory} publishes nothing, and ${path} replaces something that is published`,
    'Give the directory that the request was made from, or a copy of it.',
  );
}

async function readPublished(directory: string, kind: SigningRequest['kind']): Promise<Buffer | undefined> {
  return kind === 'manifest' ? readManifestFile(directory) : (await readNewestKeySet(directory))?.envelope;
}

async function readSigned(
  request: SigningRequest,
  options: CompleteOptions,
  { gpgv, now }: Omit<SignDeps, 'gpg'>,
): Promise<Manifest> {
  const { keys, threshold } = await trustedBy(options);
  try {
    const envelope = Buffer.from(envelopeText(request.text, request.signatures));
    return (await readAsClient(envelope, { keys, threshold, trust: { ...gpgv, now: now() } })).manifest;
  } catch (cause) {
    throw refuse(
      'RELEASE_THRESHOLD',
      `the request does not bear the ${threshold} signatures that it needs`,
      'Have the others sign their copies (node-updater release sign FILE -u KEY), and merge them (release sign --merge FILE COPY…).',
      cause,
    );
  }
}

/** What is about to be published is judged by what hosts trust now. Who planted a key set stops a publication, and no more. */
async function trustedBy(
  options: CompleteOptions,
): Promise<{ readonly keys: readonly Certificate[]; readonly threshold: number }> {
  const given = await loadPublisherKeys(options.keys);
  const set = (await readNewestKeySet(options.directory))?.set;
  if (set === undefined) return { keys: given, threshold: options.threshold ?? given.length };
  return { keys: certificatesOf(set), threshold: Math.max(set.threshold, options.threshold ?? 0) };
}

/** The archives were put into place when the request was made; whoever publishes may have another directory. */
async function refuseMissing(directory: string, { releases }: Manifest): Promise<void> {
  for (const { url, sha256 } of releases.flatMap(({ artifacts }) => artifacts)) {
    const [place] = url.map(localPath).filter((path) => path !== undefined);
    if (place === undefined || (await fileFacts(`${directory}/${place}`))?.sha256 === sha256) continue;
    const message = `${directory}/${place} is not the archive that the request states`;
    throw refuse('RELEASE_REQUEST', message, 'Publish from the directory in which the request was made.');
  }
}
