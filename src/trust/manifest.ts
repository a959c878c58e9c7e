/**
 * The text of a manifest, after its signatures were accepted, into a `Manifest` (DESIGN.md section 7).
 *
 * Threat: a signer that errs, or one key too many in wrong hands. What comes out names versions that are safe as a path
 * component, sizes within LIMITS, and times that exist. Unknown fields are ignored so that publishers can add some; a
 * field that old readers must not ignore is named in `critical`, dotted without indices (`releases.artifacts.deltas`).
 */
import * as z from 'zod';
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../manifest.ts';
import type { Manifest } from '../manifest.ts';
import { parseDigest, parseVersion } from '../release.ts';
import { parseStrictJson } from './json.ts';
import { printable } from './verdict.ts';

const SCHEMA = 1;
const MOST_RELEASES = 256;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$/;
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z$/;

const version = parsed(parseVersion, 'is not a version: up to 64 of A-Z a-z 0-9 . _ + ~ -, a letter or digit first');
const digest = parsed(parseDigest, 'is not a SHA-256 digest of 64 lower-case hex digits');
const time = parsed(parseTime, 'is not a time as 2026-11-20T12:00:00Z, in UTC');
const name = z.string().regex(NAME, 'is not a plain name of up to 64 characters');
const hex32 = z.string().regex(/^[0-9a-f]{64}$/, 'is not 64 lower-case hex digits');
const url = z.string().max(2048).refine(isUrl, 'is neither an http or https URL nor relative to the manifest');
const count = z.number().int().nonnegative();

const artifact = z.object({
  os: z.literal('linux'),
  arch: z.enum(['amd64', 'arm64']),
  libc: z.enum(['gnu', 'musl', 'static']),
  url: z.array(url).min(1).max(16),
  size: count.min(1).max(LIMITS.archive),
  unpacked_size: count.max(LIMITS.unpacked),
  entries: count.min(1).max(LIMITS.entries),
  sha256: digest,
  signature: url,
});

const release = z.object({
  version,
  published: time,
  severity: z.enum(['routine', 'important', 'critical']),
  notes: z.string().max(4096).optional(),
  epoch: count,
  rollback: z.enum(['safe', 'restore-data', 'never']),
  not_before: time.optional(),
  artifacts: z.array(artifact).min(1).max(16),
});

const rollout = z.object({ version, seed: hex32, cursor: hex32 });

const manifest = z.object({
  schema: z.literal(SCHEMA),
  name,
  channel: name,
  serial: count.min(1),
  published: time,
  expires: time,
  minimum: version.optional(),
  suggested: version,
  rollout: rollout.optional(),
  withdrawn: z.array(version).max(MOST_RELEASES).default([]),
  releases: z.array(release).min(1).max(MOST_RELEASES),
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
  const value = parseText(text);
  refuseNewer(value);
  const result = manifest.safeParse(value);
  if (!result.success) throw manifestError(firstIssue(result.error));
  refuseContradictions(result.data);
  return toManifest(result.data);
}

function parseText(text: string): unknown {
  if (Buffer.byteLength(text) > LIMITS.manifest) throw manifestError(`it is larger than ${LIMITS.manifest} bytes`);
  try {
    return parseStrictJson(text);
  } catch (error) {
    throw manifestError(error instanceof Error ? error.message : String(error), error);
  }
}

/** Before the shape: a later schema may look different everywhere else. */
function refuseNewer(value: unknown): void {
  const { schema, critical } = (value ?? {}) as { schema?: unknown; critical?: unknown };
  if (typeof schema === 'number' && Number.isInteger(schema) && schema > SCHEMA) throw newer(`schema ${schema}`);
  if (critical === undefined) return;
  const names = z.array(z.string()).safeParse(critical);
  if (!names.success) throw manifestError('`critical` is not a list of field names');
  const unknown = names.data.find((field) => !UNDERSTOOD.has(field));
  if (unknown !== undefined) throw newer(`the field ${printable(unknown)}`);
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

/** A string that `parse` turns into a branded value. */
function parsed<T>(parse: (text: string) => T | undefined, problem: string) {
  return z.string().transform((text, context): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: problem });
    return z.NEVER;
  });
}

/** Date.parse takes 30 February for 2 March; only a time that reads back the same exists. */
function parseTime(text: string): number | undefined {
  const seconds = TIME.exec(text)?.[1];
  const milliseconds = Date.parse(text);
  if (seconds === undefined || Number.isNaN(milliseconds)) return undefined;
  return new Date(milliseconds).toISOString().startsWith(seconds) ? milliseconds : undefined;
}

function isUrl(text: string): boolean {
  if (/[^\x21-\x7e]/.test(text) || !URL.canParse(text, 'https://relative.invalid/')) return false;
  const { protocol, username, password } = new URL(text, 'https://relative.invalid/');
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'it has an unknown fault';
  return `\`${issue.path.map(String).join('.')}\`: ${issue.message}`;
}

function newer(what: string): UpdaterError {
  return new UpdaterError('TRUST_NEWER_SCHEMA', `the manifest uses ${what}: a newer node-updater is needed`, {
    remedy: 'Upgrade node-autoupdate (`apt update && apt install node-autoupdate`); the node keeps running meanwhile.',
  });
}

function manifestError(problem: string, cause?: unknown): UpdaterError {
  return new UpdaterError('TRUST_MANIFEST', `the signed manifest is not valid: ${printable(problem)}`, {
    remedy: 'The publisher signed a faulty manifest; tell it. `node-updater release verify` would have shown this.',
    cause,
  });
}
