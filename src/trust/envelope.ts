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

/** Throws TRUST_ENVELOPE. Fields that it does not know are ignored: nothing reads them. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length > LIMITS.envelope) throw envelopeError(`is larger than ${LIMITS.envelope} bytes`);
  const value = parse(bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw envelopeError('is not a JSON object');
  const { manifest, signatures } = value as { manifest?: unknown; signatures?: unknown };
  if (typeof manifest !== 'string') throw envelopeError('has no text `manifest`');
  if (Buffer.byteLength(manifest) > LIMITS.manifest) {
    throw envelopeError(`holds a manifest larger than ${LIMITS.manifest} bytes`);
  }
  if (!manifest.isWellFormed()) throw envelopeError('holds a manifest with half a surrogate pair');
  return { text: manifest, signatures: readSignatures(signatures) };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(decodeText(bytes));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw envelopeError(`is not plain JSON: ${message}`, error);
  }
}

function readSignatures(value: unknown): readonly string[] {
  const isText = (one: unknown): one is string => typeof one === 'string';
  if (!Array.isArray(value) || !value.every(isText)) throw envelopeError('has no list of texts `signatures`');
  if (value.length === 0) throw envelopeError('holds no signature');
  if (value.length > LIMITS.signaturesPerManifest) {
    throw envelopeError(`holds more than ${LIMITS.signaturesPerManifest} signatures`);
  }
  return value;
}

function envelopeError(problem: string, cause?: unknown): UpdaterError {
  return new UpdaterError('TRUST_ENVELOPE', `the manifest’s envelope ${problem}`, {
    remedy:
      'Look at the file that the manifest URL answers: a login page or a proxy’s error is the usual cause. It is fetched again at the next run.',
    cause,
  });
}
