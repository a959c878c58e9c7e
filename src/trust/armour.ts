/**
 * ASCII armour, read strictly (RFC 9580 section 6.2).
 *
 * Threat: parsers that skip what they do not know find a good block inside a file that says something else to a person
 * or to another program. So: exactly one block, nothing before, between or after, and canonical base64. The armour's
 * headers and checksum are not signed; their shape is checked, what they say is ignored (section 6.1).
 */
import { UpdaterError } from '../errors.ts';

export type ArmourKind = 'SIGNATURE' | 'PUBLIC KEY BLOCK';

const HEADER = /^[A-Za-z][A-Za-z0-9-]{0,31}: ?[^\x00-\x1f\x7f]{0,200}$/;
const BLANK = /^[ \t]*$/;
const BODY = /^[A-Za-z0-9+/]{1,76}={0,2}$/;
const CHECKSUM = /^=[A-Za-z0-9+/]{4}$/;

export function structureError(message: string): UpdaterError {
  return new UpdaterError('TRUST_STRUCTURE', message, {
    remedy:
      'The publisher makes plain detached signatures with `gpg --armor --detach-sign`. If it does, a server or proxy changed the file.',
  });
}

/** The bytes inside one armour block. Throws TRUST_STRUCTURE. The caller has limited the length of the text. */
export function dearmour(text: string, kind: ArmourKind): Buffer {
  const lines = text.replaceAll('\r\n', '\n').replace(/\n+$/, '').split('\n');
  if (lines[0] !== `-----BEGIN PGP ${kind}-----`) throw structureError(`does not start with an armoured ${kind}`);
  if (lines.at(-1) !== `-----END PGP ${kind}-----`) throw structureError(`does not end with an armoured ${kind}`);
  const inner = lines.slice(1, -1);
  const blank = inner.findIndex((line) => BLANK.test(line));
  if (blank < 0) throw structureError('has no blank line after the headers of its armour');
  if (!inner.slice(0, blank).every((line) => HEADER.test(line))) {
    throw structureError('has a line that is no header before its armoured data');
  }
  const body = inner.slice(blank + 1);
  if (CHECKSUM.test(body.at(-1) ?? '')) body.pop();
  return decode(body);
}

function decode(lines: readonly string[]): Buffer {
  if (lines.length === 0 || !lines.every((line) => BODY.test(line))) {
    throw structureError('has something other than base64 between the lines of its armour');
  }
  const encoded = lines.join('');
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) throw structureError('has base64 that is cut or not canonical');
  return bytes;
}
