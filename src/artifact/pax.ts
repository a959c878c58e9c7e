/**
 * PAX records, read strictly: what a lenient reader skips is where two readers part. A key that would change what is
 * unpacked in a way not shown by the entry (access lists, capabilities, sparse maps, character sets) refuses the archive;
 * the keys listed here are either honoured (path, linkpath, size) or change nothing that is unpacked.
 */
import { malformed, quoted, unsafe } from './refusal.ts';
import { textOf } from './names.ts';

export interface PaxRecords {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
}

const HONOURED = new Set(['path', 'linkpath', 'size']);
const HARMLESS = new Set([
  'atime',
  'comment',
  'ctime',
  'gid',
  'gname',
  'mtime',
  'uid',
  'uname',
  'LIBARCHIVE.creationtime',
  'SCHILY.dev',
  'SCHILY.ino',
  'SCHILY.nlink',
]);
const LENGTH = /^[1-9]\d{0,6}$/;
const SIZE = /^(0|[1-9]\d{0,15})$/;

/** Of an `x` header: what it says of the entry that follows. */
export function entryRecords(body: Buffer): PaxRecords {
  const records = parse(body);
  for (const key of records.keys()) {
    if (!HONOURED.has(key) && !HARMLESS.has(key)) throw forbiddenKey(key);
  }
  return {
    ...optional('path', records.get('path')),
    ...optional('linkpath', records.get('linkpath')),
    ...optional('size', parseSize(records.get('size'))),
  };
}

/** Of a `g` header, which speaks for every later entry: `git archive` writes a comment, and nothing else is let in. */
export function checkGlobalRecords(body: Buffer): void {
  for (const key of parse(body).keys()) {
    if (key !== 'comment') throw unsafe(`a global PAX header sets ${quoted(key)} for all entries`);
  }
}

function parse(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length;) {
    const { key, value, end } = recordAt(body, at);
    if (records.has(key)) throw malformed(`a PAX header has ${quoted(key)} twice`);
    records.set(key, value);
    at = end;
  }
  return records;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts all of it. */
function recordAt(body: Buffer, at: number): { key: string; value: string; end: number } {
  const blank = body.indexOf(0x20, at);
  const digits = body.toString('latin1', at, blank < 0 ? at : Math.min(blank, at + 8));
  if (!LENGTH.test(digits)) throw malformed('a PAX record has no length');
  const end = at + Number(digits);
  const equals = body.indexOf(0x3d, blank);
  if (end > body.length || equals < 0 || equals >= end || equals === blank + 1 || body[end - 1] !== 0x0a) {
    throw malformed('a PAX record does not fit its length');
  }
  const key = textOf(body.subarray(blank + 1, equals));
  const value = body.subarray(equals + 1, end - 1);
  if (!HONOURED.has(key)) return { key, value: '', end };
  if (value.length === 0) throw malformed(`a PAX header has an empty ${key}`);
  return { key, value: textOf(value), end };
}

function parseSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const size = SIZE.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(size)) throw malformed('a PAX header has a size that is no number');
  return size;
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, V>>);
}

function forbiddenKey(key: string): Error {
  return unsafe(
    `a PAX header sets ${quoted(key)}, which would not be unpacked as signed`,
    'Pack without access lists, extended attributes, capabilities and sparse files.',
  );
}
