/** `release rotate`: the next key set, from the last one and what is to change. */
import { readFile } from 'node:fs/promises';
import { diskError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Fingerprint } from '../release.ts';
import type { TrustedKey } from '../settings.ts';
import type { Certificate } from '../trust/certificate.ts';
import { keySetPath, keySetText } from '../trust/key-set.ts';
import type { KeySet, KeySetKey } from '../trust/key-set.ts';
import { warnUnsignedArchives } from './archive-signers.ts';
import { signerCertificates } from './draft.ts';
import { readNewestKeySet, refuseUnwalkable } from './key-sets.ts';
import type { PublishedKeySet } from './key-sets.ts';
import type { SignDeps } from './publish.ts';
import { signaturesOf } from './publish.ts';
import { loadPublisherKeys } from './publisher-keys.ts';
import { refuse } from './refuse.ts';
import { makeRequest } from './request.ts';
import type { SigningRequest } from './request.ts';
import { lockingSite } from './site-lock.ts';
import { sweepSite } from './site-sweep.ts';
import { envelopeText, timeText } from './text.ts';

export interface RotateOptions {
  readonly directory: string;
  /** The product. */
  readonly name: string;
  readonly signers: readonly string[];
  /** Keys that join, or whose certificate is replaced by a newer one. */
  readonly add: readonly TrustedKey[];
  readonly remove: readonly Fingerprint[];
  /** Undefined: as before, 1 the first time. */
  readonly threshold: number | undefined;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export interface Rotation {
  readonly set: KeySet;
  readonly before: KeySet | undefined;
  readonly text: string;
  /** What it changes, in lines that begin with a verb. */
  readonly changes: readonly string[];
  /** What hosts that hold the set would miss: archives that none of its keys has signed. */
  readonly warnings: readonly string[];
}

/** Changes nothing. Throws RELEASE_KEY_SET, also when all sign `here` and the signers cannot meet both thresholds. */
export async function planRotation(
  options: RotateOptions,
  deps: SignDeps,
  signed: 'here' | 'others' = 'here',
): Promise<Rotation> {
  const rotation = await draftRotation(options, deps);
  if (signed === 'here') refuseTooFew(rotation, await signerCertificates(options.signers, deps.gpg));
  return rotation;
}

/** Publishes the next key set. It is one new file; nothing that hosts have is changed. */
export async function rotate(
  options: RotateOptions,
  deps: SignDeps & { readonly announce?: (rotation: Rotation) => void },
): Promise<Rotation> {
  const rotation = await planRotation(options, deps);
  deps.announce?.(rotation);
  const envelope = envelopeText(rotation.text, await signaturesOf(rotation.text, options.signers, deps));
  await placeKeySet(options.directory, rotation, envelope, deps);
  return rotation;
}

/** The next key set as a request that others sign; those who sign here have done so. */
export async function requestRotation(
  options: RotateOptions,
  deps: SignDeps & { readonly announce?: (rotation: Rotation) => void },
): Promise<{ readonly plan: Rotation; readonly request: SigningRequest }> {
  const plan = await draftRotation(options, deps);
  deps.announce?.(plan);
  const signatures = await signaturesOf(plan.text, options.signers, deps);
  const previous = (await readNewestKeySet(options.directory))?.envelope.toString('utf8');
  const { text, set, changes } = plan;
  return {
    plan,
    request: makeRequest({ kind: 'keys', text, previous, says: describeKeySet(set), changes, signatures }),
  };
}

/** Throws RELEASE_KEY_SET unless both thresholds have signed, or when another set of this number is there. */
export async function placeKeySet(
  directory: string,
  { set, before }: Pick<Rotation, 'set' | 'before'>,
  envelope: string,
  { files, gpgv, now }: Omit<SignDeps, 'gpg'>,
): Promise<void> {
  await refuseUnwalkable(Buffer.from(envelope), before, set, { ...gpgv, now: now() });
  await files.makeDirectory(`${directory}/keys`, 0o755);
  await lockingSite(directory, gpgv.run, async () => {
    refuseMoved(await readNewestKeySet(directory), before);
    await sweepSite(directory, { files, run: gpgv.run });
    await files.replace(`${directory}/${keySetPath(set.number)}`, envelope, 0o644);
  });
}

/** What a set states, for who is to sign it. */
export function describeKeySet({ name, number, published, expires, threshold, keys }: KeySet): readonly string[] {
  return [
    `key set ${number} of ${name}, published ${timeText(published)}, expires ${timeText(expires)}`,
    `hosts ask for ${threshold} of these ${keys.length} keys:`,
    ...keys.map(({ fingerprint }) => `  ${fingerprint}`),
  ];
}

/** Each line begins with a verb, so that `would` may stand before it. */
export function describeRotation(before: KeySet | undefined, set: KeySet): readonly string[] {
  const known = new Map(before?.keys.map(({ fingerprint, certificate }) => [fingerprint, certificate]));
  const kept = new Set(set.keys.map(({ fingerprint }) => fingerprint));
  const fresh = set.keys.filter(({ fingerprint }) => !known.has(fingerprint));
  const renewed = set.keys.filter(({ fingerprint, certificate }) => {
    const was = known.get(fingerprint);
    return was !== undefined && was !== certificate;
  });
  const was = before === undefined || before.threshold === set.threshold ? '' : ` (was ${before.threshold})`;
  return [
    ...fresh.map(({ fingerprint }) => `add the key ${fingerprint}`),
    ...renewed.map(({ fingerprint }) => `renew the certificate of ${fingerprint}`),
    ...[...known.keys()].filter((each) => !kept.has(each)).map((fingerprint) => `remove the key ${fingerprint}`),
    `ask for ${set.threshold} of ${set.keys.length} keys${was}`,
    `publish ${keySetPath(set.number)}, expires ${timeText(set.expires)}`,
  ];
}

async function draftRotation(options: RotateOptions, { now }: SignDeps): Promise<Rotation> {
  const newest = await readNewestKeySet(options.directory);
  const before = newest?.set;
  const keys = await nextKeys(before?.keys ?? [], options);
  const published = Math.floor(now() / 1000) * 1000;
  const set: KeySet = {
    schema: 1,
    name: options.name,
    number: (before?.number ?? 0) + 1,
    published,
    expires: Math.floor(options.expires / 1000) * 1000,
    threshold: options.threshold ?? before?.threshold ?? 1,
    keys,
  };
  refuseUnsound(before, set);
  const warnings = await warnUnsignedArchives(options.directory, set, now());
  return { set, before, text: keySetText(set), changes: describeRotation(before, set), warnings };
}

async function nextKeys(before: readonly KeySetKey[], { add, remove }: RotateOptions): Promise<readonly KeySetKey[]> {
  const stranger = remove.find((each) => !before.some(({ fingerprint }) => fingerprint === each));
  if (stranger !== undefined) {
    const held = before.map(({ fingerprint }) => fingerprint).join(', ');
    throw refuse('RELEASE_KEY_SET', `${stranger} is not in the key set`, `Give --remove one of: ${held}`);
  }
  const certificates = await loadPublisherKeys(add);
  const joining = await Promise.all(
    certificates.map(async ({ fingerprint }, at) => ({
      fingerprint,
      certificate: await armoured(add[at]?.file ?? ''),
    })),
  );
  const kept = before.filter(
    ({ fingerprint }) => !remove.includes(fingerprint) && !joining.some((each) => each.fingerprint === fingerprint),
  );
  return [...kept, ...joining].sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
}

async function armoured(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    throw diskError(error, 'read', file);
  }
}

/** Pure, and asked by every signer again. Throws RELEASE_KEY_SET. */
export function refuseUnsound(before: KeySet | undefined, set: KeySet): void {
  const bad = (message: string, remedy: string): Error => refuse('RELEASE_KEY_SET', message, remedy);
  if (set.expires <= set.published) throw bad('the key set would be expired when it is published', 'Give --expires.');
  if (set.expires - set.published > LIMITS.keySetLife) {
    const message =
      'the key set would be believed for more than five years: so long could hosts be kept from the next one';
    throw refuse(
      'RELEASE_EXPIRES_LATE',
      message,
      'Give --expires 5y or less; a set can be renewed with the same keys.',
    );
  }
  if (set.threshold > set.keys.length) {
    const message = `${set.threshold} signatures cannot come from ${set.keys.length} keys`;
    throw bad(message, 'Give a lower --threshold, or --add the missing keys.');
  }
  if (before === undefined) return;
  if (set.name !== before.name) throw bad(`the key set is of ${before.name}, not of ${set.name}`, 'Leave --name out.');
  if (set.number !== before.number + 1) {
    throw bad(`key set ${set.number} does not follow key set ${before.number}`, 'Make it again with release rotate.');
  }
}

function refuseTooFew({ before, set }: Rotation, signers: readonly Certificate[]): void {
  for (const by of before === undefined ? [set] : [before, set]) {
    const have = by.keys.filter(({ fingerprint }) => signers.some((each) => each.fingerprint === fingerprint)).length;
    if (have >= by.threshold) continue;
    throw refuse(
      'RELEASE_KEY_SET',
      `the signers at hand hold ${have} of the ${by.threshold} keys of key set ${by.number} that must sign`,
      'Give --local-user for each key at hand, or --request FILE to have the others sign on their machines.',
    );
  }
}

function refuseMoved(newest: PublishedKeySet | undefined, before: KeySet | undefined): void {
  if (newest?.set.number === before?.number) return;
  const message = `key set ${newest?.set.number ?? 0} is published already`;
  throw refuse('RELEASE_KEY_SET', message, 'A published key set never changes: rotate again, from the newest.');
}
