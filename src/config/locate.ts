/**
 * Where in a TOML text a key stands. smol-toml tells positions of syntax errors only; an operator wants the line of a
 * wrong value as well. This reads text that smol-toml has accepted, so it need not judge, only follow the structure.
 */
import { parse } from 'smol-toml';

export type KeyPath = readonly (string | number)[];

/** The line (from 1) of a key, or undefined where the text does not name it. */
export type Locate = (path: KeyPath) => number | undefined;

/** Offsets into a text: the first, and the one after the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

interface Cursor {
  readonly text: string;
  at: number;
  /** Offset of each key and array element, by its path. */
  readonly found: Map<string, number>;
  /** Where the value of each key begins, and the offset after it. */
  readonly values: Map<string, Span>;
}

export function locateKeys(text: string): Locate {
  const cursor = readAll(text);
  return (path) => {
    const offset = cursor.found.get(id(path));
    return offset === undefined ? undefined : text.slice(0, offset).split('\n').length;
  };
}

/** Where the value of a key stands that the text gives as `key = value`; undefined for one that it does not. */
export function locateValue(text: string, path: KeyPath): Span | undefined {
  return readAll(text).values.get(id(path));
}

function readAll(text: string): Cursor {
  const cursor: Cursor = { text, at: 0, found: new Map(), values: new Map() };
  readDocument(cursor);
  return cursor;
}

/** The line of the key, else of the nearest table around it that the text names. */
export function locateNearest(locate: Locate, path: KeyPath): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = locate(path.slice(0, length));
    if (line !== undefined) return line;
  }
  return undefined;
}

function id(path: KeyPath): string {
  return JSON.stringify(path);
}

/** The first mention wins: `[a.b]` must not move the line of an earlier `[a]`. */
function note(cursor: Cursor, path: KeyPath, offset: number): void {
  for (let length = 1; length <= path.length; length++) {
    const key = id(path.slice(0, length));
    if (!cursor.found.has(key)) cursor.found.set(key, offset);
  }
}

function readDocument(cursor: Cursor): void {
  const arrays = new Map<string, number>();
  let table: KeyPath = [];
  skipBlank(cursor);
  while (cursor.at < cursor.text.length) {
    if (cursor.text[cursor.at] === '[') table = readHeader(cursor, arrays);
    else readPair(cursor, table);
    skipBlank(cursor);
  }
}

/** `[a.b]` or `[[a.b]]`; a segment that is an array of tables means its last element. */
function readHeader(cursor: Cursor, arrays: Map<string, number>): KeyPath {
  const start = cursor.at;
  const brackets = cursor.text.startsWith('[[', start) ? 2 : 1;
  cursor.at += brackets;
  const keys = readKeys(cursor, ']');
  cursor.at += brackets;
  let path: KeyPath = [];
  keys.forEach((key, index) => {
    path = [...path, key];
    const count = arrays.get(id(path)) ?? 0;
    if (brackets === 2 && index === keys.length - 1) {
      arrays.set(id(path), count + 1);
      path = [...path, count];
    } else if (count > 0) {
      path = [...path, count - 1];
    }
  });
  note(cursor, path, start);
  return path;
}

function readPair(cursor: Cursor, table: KeyPath): void {
  const start = cursor.at;
  const path = [...table, ...readKeys(cursor, '=')];
  cursor.at += 1;
  note(cursor, path, start);
  skipBlank(cursor);
  const value = cursor.at;
  readValue(cursor, path);
  cursor.values.set(id(path), { start: value, end: cursor.at });
}

/** Dotted, bare or quoted keys up to `end`, which is not consumed. */
function readKeys(cursor: Cursor, end: string): string[] {
  const keys: string[] = [];
  for (;;) {
    skipBlank(cursor);
    const start = cursor.at;
    const first = cursor.text[start];
    if (first === undefined || first === end) return keys;
    if (first === '.') {
      cursor.at += 1;
    } else if (first === '"' || first === "'") {
      skipString(cursor);
      keys.push(quotedKey(cursor.text.slice(start, cursor.at)));
    } else {
      cursor.at += /^[^\s.=\]]+/.exec(cursor.text.slice(start, start + 4096))?.[0].length ?? 1;
      keys.push(cursor.text.slice(start, cursor.at));
    }
  }
}

function quotedKey(raw: string): string {
  if (raw.startsWith("'")) return raw.slice(1, -1);
  return Object.keys(parse(`${raw} = 0`)).join('');
}

function readValue(cursor: Cursor, path: KeyPath): void {
  const first = cursor.text[cursor.at];
  if (first === '[') readArray(cursor, path);
  else if (first === '{') readInlineTable(cursor, path);
  else if (first === '"' || first === "'") skipString(cursor);
  else cursor.at = nextOf(cursor, /[,\]}#\n]/g);
}

function readArray(cursor: Cursor, path: KeyPath): void {
  cursor.at += 1;
  for (let index = 0; skipTo(cursor) !== ']' && cursor.at < cursor.text.length; index++) {
    note(cursor, [...path, index], cursor.at);
    readValue(cursor, [...path, index]);
  }
  cursor.at += 1;
}

function readInlineTable(cursor: Cursor, path: KeyPath): void {
  cursor.at += 1;
  while (skipTo(cursor) !== '}' && cursor.at < cursor.text.length) readPair(cursor, path);
  cursor.at += 1;
}

/** Passes blanks, comments and commas; answers the character there. */
function skipTo(cursor: Cursor): string | undefined {
  skipBlank(cursor);
  while (cursor.text[cursor.at] === ',') {
    cursor.at += 1;
    skipBlank(cursor);
  }
  return cursor.text[cursor.at];
}

function skipBlank(cursor: Cursor): void {
  for (;;) {
    cursor.at = nextOf(cursor, /[^\s\uFEFF]/g);
    if (cursor.text[cursor.at] !== '#') return;
    cursor.at = nextOf(cursor, /\n/g);
  }
}

/** Basic, literal and multi-line strings; a multi-line one may end in up to two quotes of its own. */
function skipString(cursor: Cursor): void {
  const quote = cursor.text.charAt(cursor.at);
  const multi = cursor.text.startsWith(quote.repeat(3), cursor.at);
  const end = quote.repeat(multi ? 3 : 1);
  cursor.at += end.length;
  while (cursor.at < cursor.text.length && !cursor.text.startsWith(end, cursor.at)) {
    cursor.at += quote === '"' && cursor.text[cursor.at] === '\\' ? 2 : 1;
  }
  cursor.at += end.length;
  while (multi && cursor.text[cursor.at] === quote) cursor.at += 1;
}

function nextOf(cursor: Cursor, pattern: RegExp): number {
  pattern.lastIndex = cursor.at;
  return pattern.exec(cursor.text)?.index ?? cursor.text.length;
}
