/**
 * A node's file with other trusted keys in it, everything else as its operator wrote it. The text is changed in one place, and
 * what comes out is read again: if anything but `trust.keys` differs, the file is left to a person.
 */
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';
import { locateKeys, locateValue } from './locate.ts';
import { isTable } from './merge.ts';
import { writeValue } from './write.ts';

/** As it is written: the file relative to keys.d or absolute, the fingerprint as the operator pasted it. */
export interface WrittenKey {
  readonly file: string;
  readonly fingerprint: string;
}

export interface WrittenTrust {
  readonly keys: readonly WrittenKey[];
  readonly threshold: number;
  readonly keySet: number;
}

/** What a node's file says of trust, as far as it is of the right shape; the defaults where it is silent. */
export function readTrust(text: string): WrittenTrust {
  const trust = parse(text)['trust'];
  const { keys, threshold, key_set: keySet } = isTable(trust) ? trust : {};
  return {
    keys: writtenKeys(keys),
    threshold: typeof threshold === 'number' ? threshold : 1,
    keySet: typeof keySet === 'number' ? keySet : 1,
  };
}

/** The text with these keys; undefined where it is written in a way that a program should leave alone. */
export function editKeys(text: string, keys: readonly WrittenKey[]): string | undefined {
  const edited = replaceKeys(text, keys);
  return edited !== undefined && saysTheSameBut(text, edited, keys) ? edited : undefined;
}

function replaceKeys(text: string, keys: readonly WrittenKey[]): string | undefined {
  const span = locateValue(text, ['trust', 'keys']);
  if (span !== undefined) return text.slice(0, span.start) + writeKeys(keys) + text.slice(span.end);
  const line = locateKeys(text)(['trust']);
  if (line === undefined) return `${text.replace(/\n*$/, '\n')}\n[trust]\nkeys = ${writeKeys(keys)}\n`;
  const lines = text.split('\n');
  lines.splice(line, 0, `keys = ${writeKeys(keys)}`);
  return lines.join('\n');
}

function writeKeys(keys: readonly WrittenKey[]): string {
  const lines = keys.map(({ file, fingerprint }) => `  ${writeValue({ file, fingerprint })},\n`);
  return `[\n${lines.join('')}]`;
}

function saysTheSameBut(before: string, after: string, keys: readonly WrittenKey[]): boolean {
  const expected = parse(before);
  const { trust } = expected;
  expected['trust'] = {
    ...(isTable(trust) ? trust : {}),
    keys: keys.map(({ file, fingerprint }) => ({ file, fingerprint })),
  };
  try {
    return isDeepStrictEqual(plain(parse(after)), plain(expected));
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && error.name === 'TomlError')) return false;
    throw error;
  }
}

/** The parser's tables have no prototype. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Those of a `trust.keys` that have the shape of one. */
export function writtenKeys(value: unknown): readonly WrittenKey[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isWrittenKey) : [];
}

function isWrittenKey(value: unknown): value is WrittenKey {
  return isTable(value) && typeof value['file'] === 'string' && typeof value['fingerprint'] === 'string';
}
