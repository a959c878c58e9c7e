/** A command line as an operator writes it, split into words. No shell: nothing is expanded. */
import { kindOf, plainText } from './text.ts';
import { accepted, refused, type Parsed } from './units.ts';

/** An array is taken as it is; a string is split at blanks, with '…', "…" and backslashes as in a shell or a unit. */
export function command(value: unknown): Parsed<readonly string[]> {
  if (typeof value === 'string') {
    const line = plainText(value);
    return line.ok ? splitCommand(line.value) : line;
  }
  if (!Array.isArray(value)) return refused(`must be a string or an array of strings, not ${kindOf(value)}`);
  if (value.length === 0 || value[0] === '') return refused('names no program');
  for (const word of value as readonly unknown[]) {
    const text = word === '' ? accepted('') : plainText(word);
    if (!text.ok) return refused(`has a part that ${text.why}`);
  }
  return accepted(value as readonly string[]);
}

export function splitCommand(line: string): Parsed<readonly string[]> {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    if (char === ' ') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === '"' || char === "'") {
      const quoted = readQuoted(line, at);
      if (quoted === undefined) return refused(`has a ${char} without its partner`);
      word = (word ?? '') + quoted.text;
      at = quoted.end;
    } else if (char === '\\') {
      at += 1;
      if (at === line.length) return refused('ends in a backslash');
      word = (word ?? '') + line.charAt(at);
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words.length === 0 || words[0] === '' ? refused('names no program') : accepted(words);
}

/** From an opening quote: the text up to its partner, and where that is. A backslash means something in "…" alone. */
function readQuoted(line: string, start: number): { text: string; end: number } | undefined {
  const quote = line.charAt(start);
  let text = '';
  for (let at = start + 1; at < line.length; at++) {
    const char = line.charAt(at);
    if (char === quote) return { text, end: at };
    if (char === '\\' && quote === '"' && (line[at + 1] === '"' || line[at + 1] === '\\')) at += 1;
    text += line.charAt(at);
  }
  return undefined;
}

/** A `current`-relative program and its arguments. */
export function programOf(words: readonly string[]): { program: string; args: readonly string[] } {
  const [program = '', ...args] = words;
  return { program, args };
}
