/**
 * Text for a terminal and for the journal. Threat model: messages quote what servers, archives and daemons said; none of it may start a line
 * of its own, move the cursor, colour a terminal, or turn the reading direction around. So all that does not show is shown.
 */
import type { LogFields } from './ports.ts';

/** journald cuts a line at 48 KiB, and the rest would be a line of its own without a level. */
const LONGEST = 16_384;

/** C0, DEL and C1 controls, line and paragraph separators, invisible and bidirectional formatting. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** One line that shows everything in `text`: `\n`, `\x1b`, `\u{202e}`. */
export function visible(text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length - LONGEST} more)` : text;
  return cut.toWellFormed().replace(INVISIBLE, (character) => SHORT[character] ?? hex(character));
}

/** `message key=value key="two words"`, on one line. */
export function line(message: string, fields: LogFields = {}): string {
  const parts = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${visible(key)}=${quoted(String(value))}`],
  );
  return [visible(message), ...parts].join(' ');
}

function quoted(value: string): string {
  const shown = visible(value);
  return /^[^\s"=]+$/.test(shown) ? shown : `"${shown.replaceAll('"', '\\"')}"`;
}

function hex(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u{${code}}`;
}
