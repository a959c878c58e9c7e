/**
 * What every text that is signed has in common, a manifest and a key set alike: strict JSON, a schema that may be too new,
 * and the shapes of names, times and digests. Called on text whose signatures were accepted, or are judged by what it holds.
 */
import * as z from 'zod';
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { parseDigest, parseFingerprint, parseVersion } from '../release.ts';
import { parseStrictJson } from './json.ts';
import { printable } from './verdict.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$/;
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z$/;

export const versionField = parsed(
  parseVersion,
  'is not a version: up to 64 of A-Z a-z 0-9 . _ + ~ -, a letter or digit first',
);
export const digestField = parsed(parseDigest, 'is not a SHA-256 digest of 64 lower-case hex digits');
export const fingerprintField = parsed(
  (text) => (parseFingerprint(text) === text ? parseFingerprint(text) : undefined),
  'is not a fingerprint of 40 or 64 upper-case hex digits',
);
export const timeField = parsed(parseTime, 'is not a time as 2026-11-20T12:00:00Z, in UTC');
export const nameField = z.string().regex(NAME, 'is not a plain name of up to 64 characters');
export const countField = z.number().int().nonnegative();

/** One kind of signed text. */
export interface TextKind {
  /** For messages: `the manifest`. */
  readonly what: string;
  readonly schema: number;
  /** Every field that this program obeys, dotted without indices. */
  readonly understood: ReadonlySet<string>;
  readonly fault: (problem: string, cause?: unknown) => UpdaterError;
}

/** The shape of `text`. Throws what `kind.fault` makes, or TRUST_NEWER_SCHEMA for a text made for a later node-updater. */
export function readSignedText<Shape>(text: string, schema: z.ZodType<Shape>, kind: TextKind): Shape {
  const value = parseText(text, kind);
  refuseNewer(value, kind);
  const result = schema.safeParse(value);
  if (!result.success) throw kind.fault(firstIssue(result.error));
  return result.data;
}

function parseText(text: string, { fault }: TextKind): unknown {
  if (Buffer.byteLength(text) > LIMITS.manifest) throw fault(`it is larger than ${LIMITS.manifest} bytes`);
  try {
    return parseStrictJson(text);
  } catch (error) {
    throw fault(error instanceof Error ? error.message : String(error), error);
  }
}

/** Before the shape: a later schema may look different everywhere else. */
function refuseNewer(value: unknown, { what, schema: known, understood, fault }: TextKind): void {
  const { schema, critical } = (value ?? {}) as { schema?: unknown; critical?: unknown };
  if (typeof schema === 'number' && Number.isInteger(schema) && schema > known) throw newer(what, `schema ${schema}`);
  if (critical === undefined) return;
  const names = z.array(z.string()).safeParse(critical);
  if (!names.success) throw fault('`critical` is not a list of field names');
  const unknown = names.data.find((field) => !understood.has(field));
  if (unknown !== undefined) throw newer(what, `the field ${printable(unknown)}`);
}

function newer(what: string, used: string): UpdaterError {
  return new UpdaterError('TRUST_NEWER_SCHEMA', `${what} uses ${used}: a newer node-updater is needed`, {
    remedy: 'Upgrade node-autoupdate (`apt update && apt install node-autoupdate`); the node keeps running meanwhile.',
  });
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

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'it has an unknown fault';
  return `\`${issue.path.map(String).join('.')}\`: ${issue.message}`;
}
