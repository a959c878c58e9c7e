/**
 * Signing what another machine asks for.
 *
 * Threat: the machine that made the request may be in wrong hands; that is why there are several signers. So a signer's
 * machine reads the text itself, judges it by the rules for hosts, and shows what it says before gpg is asked.
 */
import type { Files } from '../host/ports.ts';
import type { Manifest } from '../manifest.ts';
import type { Certificate } from '../trust/certificate.ts';
import { readEnvelope } from '../trust/envelope.ts';
import { keySetText, parseKeySet } from '../trust/key-set.ts';
import type { KeySet } from '../trust/key-set.ts';
import { parseManifest } from '../trust/manifest.ts';
import { verifyEnvelope } from '../trust/verify.ts';
import { isNotByThese } from './client.ts';
import { refuseUnacceptable, signerCertificates } from './draft.ts';
import { signaturesOf } from './publish.ts';
import type { SignDeps } from './publish.ts';
import { refuse } from './refuse.ts';
import { mergeRequests, readRequest, refuseLyingRequest, requestText } from './request.ts';
import type { SigningRequest } from './request.ts';
import { describeKeySet, describeRotation, refuseUnsound } from './rotate.ts';
import { refuseStranding } from './strand.ts';
import type { ReleaseForce } from './strand.ts';
import { envelopeText, manifestText } from './text.ts';
import { describeManifest, describePlan } from './words.ts';

export interface Judged {
  /** What the text states, and how that differs from what it replaces. */
  readonly says: readonly string[];
  readonly changes: readonly string[];
}

export interface JudgeFacts {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly force: readonly ReleaseForce[];
  /** What is published now, where the signer can see it: the request must replace that very envelope. */
  readonly published?: Uint8Array | undefined;
}

/**
 * Throws RELEASE_REQUEST for a request that lies or comes too late, TRUST_ for a text that hosts cannot read, and the RELEASE_
 * error of what would strand them.
 */
export function judgeRequest(request: SigningRequest, facts: JudgeFacts): Judged {
  const { published } = facts;
  if (published !== undefined && Buffer.from(published).toString('utf8') !== (request.previous ?? '')) throw tooLate();
  return request.kind === 'manifest' ? judgeManifest(request, facts) : judgeKeySet(request, facts.now);
}

function judgeManifest(request: SigningRequest, facts: JudgeFacts): Judged {
  const manifest = parseManifest(request.text);
  const text = previousText(request);
  const previous = text === undefined ? undefined : { manifest: parseManifest(text), text, signers: [] };
  const truth = describeRequest(manifest, previous?.manifest);
  refuseLyingRequest(request, truth);
  refuseHidden(request.text, manifestText(manifest));
  refuseStranding(previous?.manifest, manifest, facts);
  refuseUnacceptable(manifest, previous, facts.now);
  return truth;
}

function describeRequest(manifest: Manifest, previous: Manifest | undefined): Judged {
  return { says: describeManifest(manifest), changes: describePlan({ manifest, previous, added: [] }) };
}

function judgeKeySet(request: SigningRequest, now: number): Judged {
  const { set, before } = readKeySets(request);
  const truth = { says: describeKeySet(set), changes: describeRotation(before, set) };
  refuseLyingRequest(request, truth);
  refuseHidden(request.text, keySetText(set));
  refuseUnsound(before, set);
  if (set.expires > now) return truth;
  throw refuse('RELEASE_EXPIRED', 'the key set has expired', 'Make the request again.');
}

/** Readers ignore fields that they do not know, and a later one may know them: nothing is signed that was not shown. */
function refuseHidden(text: string, shown: string): void {
  if (text === shown) return;
  throw refuse(
    'RELEASE_REQUEST',
    'the text that is to be signed holds something that this node-updater does not read, or writes it in another way',
    'Sign nothing. Have the request made again with the same version of node-updater as here.',
  );
}

/** The key sets of a request of that kind. Throws TRUST_ when one is none. */
export function readKeySets(request: SigningRequest): { readonly set: KeySet; readonly before: KeySet | undefined } {
  const text = previousText(request);
  return { set: parseKeySet(request.text), before: text === undefined ? undefined : parseKeySet(text) };
}

export interface CountersignOptions {
  readonly path: string;
  readonly signers: readonly string[];
  readonly force: readonly ReleaseForce[];
  readonly published?: Uint8Array | undefined;
}

export interface Countersigned extends Judged {
  readonly request: SigningRequest;
  /** Whether one of the signer's own keys signed what the request replaces. If not, only who made it says what that was. */
  readonly replaces: 'nothing' | 'known' | 'unknown';
}

/** What `countersign` would sign; changes nothing. */
export async function planCountersign(options: CountersignOptions, deps: SignDeps): Promise<Countersigned> {
  return judged(options, await signerCertificates(options.signers, deps.gpg), deps);
}

/** Adds a signature by each signer to the request file. `announce` is called before gpg is. */
export async function countersign(
  options: CountersignOptions,
  deps: SignDeps & { readonly announce?: (judged: Countersigned) => void },
): Promise<Countersigned> {
  const keys = await signerCertificates(options.signers, deps.gpg);
  const plan = await judged(options, keys, deps);
  const { request } = plan;
  deps.announce?.(plan);
  const signatures = await signaturesOf(request.text, options.signers, deps);
  const trust = { ...deps.gpgv, now: deps.now() };
  await verifyEnvelope(Buffer.from(envelopeText(request.text, signatures)), keys, keys.length, trust);
  const signed = { ...request, signatures: [...new Set([...request.signatures, ...signatures])] };
  await deps.files.replace(options.path, requestText(signed), 0o644);
  return { ...plan, request: signed };
}

async function judged(
  options: CountersignOptions,
  keys: readonly Certificate[],
  { gpgv, now }: SignDeps,
): Promise<Countersigned> {
  const request = await readRequest(options.path);
  const truth = judgeRequest(request, { ...options, now: now() });
  const { previous } = request;
  if (previous === undefined) return { request, ...truth, replaces: 'nothing' };
  try {
    await verifyEnvelope(Buffer.from(previous), keys, 1, { ...gpgv, now: now() });
    return { request, ...truth, replaces: 'known' };
  } catch (error) {
    if (!isNotByThese(error)) throw error;
    return { request, ...truth, replaces: 'unknown' };
  }
}

/** What `mergeInto` would write. Throws RELEASE_REQUEST when the files are not copies of one request. */
export async function planMerge(path: string, others: readonly string[]): Promise<SigningRequest> {
  return mergeRequests(await readRequest(path), await Promise.all(others.map(readRequest)));
}

/** Collects the signatures of all copies in the first file. */
export async function mergeInto(path: string, others: readonly string[], files: Files): Promise<SigningRequest> {
  const merged = await planMerge(path, others);
  await files.replace(path, requestText(merged), 0o644);
  return merged;
}

function previousText({ previous }: SigningRequest): string | undefined {
  return previous === undefined ? undefined : readEnvelope(Buffer.from(previous)).text;
}

function tooLate(): Error {
  return refuse(
    'RELEASE_REQUEST',
    'what is published now is not what the request replaces',
    'Another publication came in between: make the request again, and have it signed again.',
  );
}
