/**
 * A signing request: the exact text that is to be signed, and the signatures that it has, in a file that travels from machine
 * to machine.
 *
 * Threat: who carries the file changes it. Only `text` is signed. What the file says about it (`says`, `changes`) is for
 * who opens it in an editor; a signer's machine works both out anew and refuses a file that says something else.
 */
import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import { diskError } from '../errors.ts';
import { LIMITS } from '../manifest.ts';
import { refuse } from './refuse.ts';

const REQUEST_KINDS = ['manifest', 'keys'] as const;

export interface SigningRequest {
  readonly request: 1;
  readonly kind: (typeof REQUEST_KINDS)[number];
  /** What the text states, in lines for people. */
  readonly says: readonly string[];
  /** How that differs from what was published when the request was made. */
  readonly changes: readonly string[];
  readonly text: string;
  /** The published envelope that this replaces, as it is. */
  readonly previous: string | undefined;
  /** One armour block each. */
  readonly signatures: readonly string[];
}

/** Text and previous envelope, both escaped once more, and the lines. */
const MOST_BYTES = 8 * LIMITS.envelope;

const lines = z.array(z.string().max(4096)).max(2048);
const schema = z.strictObject({
  request: z.literal(1),
  kind: z.enum(REQUEST_KINDS),
  says: lines,
  changes: lines,
  text: z.string().max(LIMITS.envelope),
  previous: z.string().max(LIMITS.envelope).optional(),
  signatures: z.array(z.string().max(LIMITS.signature)).max(LIMITS.signaturesPerManifest),
});

export function makeRequest(parts: Omit<SigningRequest, 'request'>): SigningRequest {
  return { request: 1, ...parts };
}

/** Indented, with what people read first. */
export function requestText({ request, kind, says, changes, text, previous, signatures }: SigningRequest): string {
  return `${JSON.stringify({ request, kind, says, changes, text, previous, signatures }, null, 2)}\n`;
}

/** Throws RELEASE_REQUEST when the file is no signing request. */
export async function readRequest(path: string): Promise<SigningRequest> {
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw noRequest(path, `is no signing request: it has ${size} bytes`);
    return parseRequest(await readFile(path, 'utf8'), path);
  } catch (error) {
    throw diskError(error, 'read', path);
  }
}

function parseRequest(text: string, path: string): SigningRequest {
  try {
    const { previous, ...rest } = schema.parse(JSON.parse(text));
    return { ...rest, previous };
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw noRequest(path, `is no signing request: ${why}`, cause);
  }
}

/** All signatures of several copies of one request, each once. Throws RELEASE_REQUEST when their texts differ. */
export function mergeRequests(first: SigningRequest, others: readonly SigningRequest[]): SigningRequest {
  if (
    others.some(({ kind, text, previous }) => kind !== first.kind || text !== first.text || previous !== first.previous)
  ) {
    throw refuse(
      'RELEASE_REQUEST',
      'the requests are not copies of one: their texts differ',
      'Send the same request file to every signer, and merge what each gives back.',
    );
  }
  const signatures = [...new Set([first, ...others].flatMap((each) => each.signatures))];
  return { ...first, signatures };
}

/** Throws RELEASE_REQUEST when the lines for people are not what the text says. */
export function refuseLyingRequest(request: SigningRequest, truth: Pick<SigningRequest, 'says' | 'changes'>): void {
  const same = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n');
  if (same(request.says, truth.says) && same(request.changes, truth.changes)) return;
  throw refuse(
    'RELEASE_REQUEST',
    'the request says something else than the text that is to be signed',
    'Sign nothing. Ask who made the request, by another way, and have it made again with the same version of node-updater.',
  );
}

function noRequest(path: string, why: string, cause?: unknown): Error {
  const remedy = 'A request is made by publish, rollout, halt, withdraw or rotate with --request FILE.';
  return refuse('RELEASE_REQUEST', `${path} ${why}`, remedy, cause);
}
