/**
 * What a command says. Threat: versions, messages and probe answers come from servers and daemons; none of it may move the
 * cursor or start a line, so each line is escaped here, and colour is put around it afterwards.
 */

export type Tone = 'good' | 'bad' | 'dim';
export type Line = string | { readonly text: string; readonly tone: Tone };

export interface Output {
  /** For standard output. */
  readonly print: (lines: readonly Line[]) => void;
  /** One JSON value on standard output. JSON escapes what could move a cursor by itself. */
  readonly json: (value: object) => void;
  /** For standard error. */
  readonly complain: (lines: readonly Line[]) => void;
  /** For standard error, and only when that is a terminal: what is of no use afterwards. */
  readonly progress: (lines: readonly Line[]) => void;
  /** Whole lines of somebody who escapes by himself. */
  readonly raw: (text: string) => void;
  readonly rawError: (text: string) => void;
}

export interface Stream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface OutputOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line that shows every character of a text. */
  readonly visible: (text: string) => string;
  /** Put before each line on standard error: `<3>` where the journal reads it. */
  readonly errorPrefix: string;
}

const CODES: Readonly<Record<Tone, number>> = { good: 32, bad: 31, dim: 2 };

export function makeOutput({ stdout, stderr, env, visible, errorPrefix }: OutputOptions): Output {
  const write = (stream: Stream, prefix: string, lines: readonly Line[]): void => {
    const coloured = mayColour(stream, env);
    stream.write(lines.map((line) => `${prefix}${render(line, visible, coloured)}\n`).join(''));
  };
  const complain = (lines: readonly Line[]): void => {
    write(stderr, errorPrefix, lines);
  };
  return {
    print: (lines) => {
      write(stdout, '', lines);
    },
    json: (value) => {
      stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
    },
    complain,
    progress: (lines) => {
      if (stderr.isTTY === true) complain(lines);
    },
    raw: (text) => {
      stdout.write(text);
    },
    rawError: (text) => {
      stderr.write(text);
    },
  };
}

/** https://no-color.org: any value that is not empty. */
function mayColour(stream: Stream, env: OutputOptions['env']): boolean {
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

function render(line: Line, visible: OutputOptions['visible'], coloured: boolean): string {
  if (typeof line === 'string') return visible(line);
  const text = visible(line.text);
  return coloured ? `\u001b[${CODES[line.tone]}m${text}\u001b[0m` : text;
}
