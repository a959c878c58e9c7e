/**
 * `{"manifest": "<exact text>", "signatures": ["<armoured>", …]}` (DESIGN.md section 7).
 *
 * Threat: this is the only thing that is parsed before a signature was verified. It is small, it is read strictly, and
 * the text inside stays text: nobody looks into it here.
 */
import { UpdaterError } from '../errors.ts';
import { LIMITS } from '../manifest.ts';
import { decodeText, parseStrictJson } from './json.ts';

export interface Envelope {
  /** What was signed is exactly the UTF-8 bytes of this text. */
  readonly text: string;
  readonly signatures: readonly string[];
}

/** `what` names the file in messages. Throws TRUST_ENVELOPE. Fields that it does not know are ignored: nothing reads them. */
export function readEnvelope(bytes: Uint8Array, what = 'the manifest'): Envelope {
  try {
    return read(bytes);
  } catch (error) {
    if (error instanceof Fault) throw envelopeError(what, error);
    throw error;
  }
}

/** What is wrong, as the second half of a sentence about the envelope. */
class Fault extends Error {}

function read(bytes: Uint8Array): Envelope {
  if (bytes.length > LIMITS.envelope) throw envelopeFault(`is larger than ${LIMITS.envelope} bytes`);
  const value = parse(bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw envelopeFault('is not a JSON object');
  const { manifest, signatures } = value as { manifest?: unknown; signatures?: unknown };
  if (typeof manifest !== 'string') throw envelopeFault('has no text `manifest`');
  if (Buffer.byteLength(manifest) > LIMITS.manifest) {
    throw envelopeFault(`holds a text larger than ${LIMITS.manifest} bytes`);
  }
  if (!manifest.isWellFormed()) throw envelopeFault('holds a text with half a surrogate pair');
  return { text: manifest, signatures: readSignatures(signatures) };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(decodeText(bytes));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw envelopeFault(`is not plain JSON: ${message}`, error);
  }
}

function readSignatures(value: unknown): readonly string[] {
  const isText = (one: unknown): one is string => typeof one === 'string';
  if (!Array.isArray(value) || !value.every(isText)) throw envelopeFault('has no list of texts `signatures`');
  if (value.length === 0) throw envelopeFault('holds no signature');
  if (value.length > LIMITS.signaturesPerManifest) {
    throw envelopeFault(`holds more than ${LIMITS.signaturesPerManifest} signatures`);
  }
  return value;
}

function envelopeFault(problem: string, cause?: unknown): Fault {
  return new Fault(problem, cause === undefined ? undefined : { cause });
}

function envelopeError(what: string, fault: Fault): UpdaterError {
  return new UpdaterError('TRUST_ENVELOPE', `the envelope of ${what} ${fault.message}`, {
    remedy:
      'Look at the file that its URL answers: a login page or a proxy’s error is the usual cause. It is fetched again at the next run.',
    cause: fault.cause ?? fault,
  });
}
