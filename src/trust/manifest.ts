/**
 * The text of a manifest, after its signatures were accepted, into a `Manifest` (DESIGN.md section 7).
 *
 * Threat: a signer that errs, or one key too many in wrong hands. What comes out names versions that are safe as a path
 * component, sizes within LIMITS, and times that exist. Unknown fields are ignored so that publishers can add some; a
 * field that old readers must not ignore is named in `critical`, dotted without indices (`releases.artifacts.deltas`).
 */
import * as z from 'zod';
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Manifest } from '../manifest.ts';
import { countField, digestField, nameField, readSignedText, timeField, versionField } from './signed-text.ts';
import { printable } from './verdict.ts';

const SCHEMA = 1;

const hex32 = z.string().regex(/^[0-9a-f]{64}$/, 'is not 64 lower-case hex digits');
const url = z
  .string()
  .max(LIMITS.urlCharacters)
  .refine(isUrl, 'is neither an http or https URL nor relative to the manifest');

const artifact = z.object({
  os: z.literal('linux'),
  arch: z.enum(['amd64', 'arm64']),
  libc: z.enum(['gnu', 'musl', 'static']),
  url: z.array(url).min(1).max(LIMITS.urlsPerArtifact),
  size: countField.min(1).max(LIMITS.archive),
  unpacked_size: countField.max(LIMITS.unpacked),
  entries: countField.min(1).max(LIMITS.entries),
  sha256: digestField,
  signature: url,
});

const release = z.object({
  version: versionField,
  published: timeField,
  severity: z.enum(['routine', 'important', 'critical']),
  notes: z.string().max(LIMITS.notesCharacters).optional(),
  epoch: countField,
  rollback: z.enum(['safe', 'restore-data', 'never']),
  not_before: timeField.optional(),
  artifacts: z.array(artifact).min(1).max(LIMITS.artifactsPerRelease),
});

const rollout = z.object({ version: versionField, seed: hex32, cursor: hex32 });

const manifest = z.object({
  schema: z.literal(SCHEMA),
  name: nameField,
  channel: nameField,
  serial: countField.min(1),
  published: timeField,
  expires: timeField,
  minimum: versionField.optional(),
  suggested: versionField,
  rollout: rollout.optional(),
  withdrawn: z.array(versionField).max(LIMITS.releases).default([]),
  releases: z.array(release).min(1).max(LIMITS.releases),
});

const UNDERSTOOD: ReadonlySet<string> = new Set([
  'critical',
  ...Object.keys(manifest.shape),
  ...Object.keys(rollout.shape).map((field) => `rollout.${field}`),
  ...Object.keys(release.shape).map((field) => `releases.${field}`),
  ...Object.keys(artifact.shape).map((field) => `releases.artifacts.${field}`),
]);

/** Throws TRUST_MANIFEST, or TRUST_NEWER_SCHEMA when the text was made for a later node-updater. */
export function parseManifest(text: string): Manifest {
  const kind = { what: 'the manifest', schema: SCHEMA, understood: UNDERSTOOD, fault: manifestError };
  const shape = readSignedText(text, manifest, kind);
  refuseContradictions(shape);
  return toManifest(shape);
}

type Shape = z.infer<typeof manifest>;

function refuseContradictions(shape: Shape): void {
  if (shape.expires <= shape.published) throw manifestError('it expires before it is published');
  refuseTwice(shape.releases, (one) => one.version, 'release');
  for (const one of shape.releases) {
    const platform = (a: { os: string; arch: string; libc: string }): string => `${a.os} ${a.arch} ${a.libc}`;
    refuseTwice(one.artifacts, platform, `artifact of ${one.version} for`);
  }
}

function refuseTwice<T>(items: readonly T[], key: (item: T) => string, what: string): void {
  const seen = new Set<string>();
  for (const item of items) {
    if (seen.has(key(item))) throw manifestError(`it holds the ${what} ${key(item)} twice`);
    seen.add(key(item));
  }
}

function toManifest({ minimum, rollout: offered, ...shape }: Shape): Manifest {
  return {
    ...shape,
    ...(minimum === undefined ? {} : { minimum }),
    ...(offered === undefined ? {} : { rollout: offered }),
    releases: shape.releases.map(({ not_before: notBefore, notes, artifacts, ...one }) => ({
      ...one,
      ...(notes === undefined ? {} : { notes }),
      ...(notBefore === undefined ? {} : { notBefore }),
      artifacts: artifacts.map(({ unpacked_size: unpackedSize, ...rest }) => ({ ...rest, unpackedSize })),
    })),
  };
}

function isUrl(text: string): boolean {
  if (/[^\x21-\x7e]/.test(text) || !URL.canParse(text, 'https://relative.invalid/')) return false;
  const { protocol, username, password } = new URL(text, 'https://relative.invalid/');
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

function manifestError(problem: string, cause?: unknown): UpdaterError {
  return new UpdaterError('TRUST_MANIFEST', `the signed manifest is not valid: ${printable(problem)}`, {
    remedy: 'The publisher signed a faulty manifest; tell it. `node-updater release verify` would have shown this.',
    cause,
  });
}
