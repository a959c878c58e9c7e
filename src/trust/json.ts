/**
 * JSON where two readers cannot disagree (RFC 8259 leaves duplicate names, huge numbers and depth to the reader).
 *
 * Threat: a document that says one thing to this program and another to jq, or that changes a prototype, or that costs
 * more than its size. Refused: bad UTF-8, a byte order mark, lone surrogates, duplicate names, names that JavaScript
 * treats specially, numbers that do not fit, deep nesting.
 */
import { LIMITS } from '../limits.ts';

const SPECIAL_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
// Runs on text that JSON.parse has accepted, so every character belongs to a token or is blank: linear.
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Decodes UTF-8, throwing an Error that says what is wrong. */
export function decodeText(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  if (text.startsWith('\uFEFF')) throw new Error('it starts with a byte order mark');
  return text;
}

/** Parses, throwing an Error that says what is wrong. The caller has limited the length of the text. */
export function parseStrictJson(text: string): unknown {
  if (!text.isWellFormed()) throw new Error('it holds half a surrogate pair');
  const value: unknown = JSON.parse(text);
  refuseAmbiguity(text);
  return value;
}

function refuseAmbiguity(text: string): void {
  // One entry for each open bracket: the names of an object so far, or undefined for an array.
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : undefined);
      if (open.length > LIMITS.jsonDepth) throw new Error(`it is nested more than ${LIMITS.jsonDepth} deep`);
    } else if (token === '}' || token === ']') open.pop();
    else if (token === ':') addName(open.at(-1), JSON.parse(last) as string);
    else if (/^[-\d]/.test(token) && !Number.isFinite(Number(token)))
      throw new Error('it holds a number that does not fit');
    last = token;
  }
}

function addName(names: Set<string> | undefined, name: string): void {
  if (SPECIAL_NAMES.has(name)) throw new Error(`it holds the name ${name}`);
  if (names?.has(name) === true) throw new Error(`it holds a name twice: ${JSON.stringify(name.slice(0, 64))}`);
  names?.add(name);
}
