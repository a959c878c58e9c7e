/** The description of one built archive, written beside it by `build` and read by `publish`. Times as RFC 3339 text. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { UpdaterError } from '../errors.ts';
import { parseDigest, parseVersion } from '../release.ts';
import type { Digest, Version } from '../release.ts';

export const SUFFIX = { description: '.release.json', signature: '.asc' } as const;

const PRODUCT = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const count = z.int().nonnegative();

export const version = z.string().transform((text, context): Version => {
  const parsed = parseVersion(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'letters, digits and . _ + ~ - only, 64 at most, no such sign first' });
  return z.NEVER;
});
export const digest = z.string().transform((text, context): Digest => {
  const parsed = parseDigest(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: '64 lower-case hex digits' });
  return z.NEVER;
});
/** The product's name, which is a part of file names. */
export const product = z.string().regex(PRODUCT, 'letters, digits and _ . - only, 64 at most, none of these first');
export const severity = z.enum(['routine', 'important', 'critical']);
export const rollback = z.enum(['safe', 'restore-data', 'never']);
export const os = z.literal('linux');
export const arch = z.enum(['amd64', 'arm64']);
export const libc = z.enum(['gnu', 'musl', 'static']);

const schema = z.strictObject({
  schema: z.literal(1),
  name: product,
  version,
  os,
  arch,
  libc,
  /** Name of the archive, in the same directory. */
  archive: z.string().regex(/^[^/\0]+$/),
  size: count,
  unpacked_size: count,
  entries: count,
  sha256: digest,
  epoch: count,
  rollback,
  severity,
  notes: z.string().optional(),
  /** The node's program, relative to the version directory. */
  binary: z.string().optional(),
});

export type Description = z.output<typeof schema>;

/** Throws RELEASE_INPUT when the file cannot be read or is no description. */
export async function readDescription(path: string): Promise<Description> {
  const remedy = /\.(tar|tar\.\w+|tgz)$/.test(path)
    ? `That is an archive: give the ${SUFFIX.description} that build has left beside it.`
    : 'Make it with `node-updater release build`, and leave it beside its archive.';
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new UpdaterError('RELEASE_INPUT', `${path} does not describe a release: ${why}`, { remedy, cause });
  }
}

export function descriptionText(description: Description): string {
  return `${JSON.stringify(description, null, 2)}\n`;
}
