/** What the demo prints: headings, prompts with what is typed, the real output, and what each act claims and has checked. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { styleText } from 'node:util';

export interface Typed {
  readonly status: number;
  readonly output: string;
}

export interface Screen {
  heading(text: string): void;
  /** A sentence of the story. */
  say(text: string): void;
  /** A prompt and a command line, then what the program prints, line by line as it comes; resolves at its end. */
  type(prompt: string, line: string, program: ChildProcess): Promise<Typed>;
  /** Ends the demo when it does not hold. */
  claim(text: string, holds: boolean): void;
}

/** Claims that do not hold throw; nothing is printed any more once `signal` is aborted. */
export function makeScreen(stream: NodeJS.WriteStream, signal: AbortSignal): Screen {
  // Looks at the stream and at NO_COLOR by itself.
  const tone = (format: Parameters<typeof styleText>[0], text: string) => styleText(format, text, { stream });
  const print = (text: string) => {
    signal.throwIfAborted();
    stream.write(`${text}\n`);
  };
  let heading = 0;
  return {
    heading: (text) => {
      heading += 1;
      print(`\n${tone(['bold', 'cyan'], `── ${heading}. ${text} ${'─'.repeat(Math.max(3, 96 - text.length))}`)}`);
    },
    say: (text) => {
      print(`\n${tone('italic', text)}`);
    },
    async type(prompt, line, program) {
      print(`\n${tone('green', prompt)} ${tone('bold', line)}`);
      const lines: string[] = [];
      const ended = once(program, 'close') as Promise<[number | null]>;
      if (program.stdout !== null) {
        for await (const text of wholeLines(program.stdout)) {
          lines.push(text);
          print(text);
        }
      }
      const [status] = await ended;
      if (status !== 0) print(tone('dim', `(exit status ${String(status)})`));
      return { status: status ?? 128, output: lines.join('\n') };
    },
    claim: (text, holds) => {
      if (!holds) throw new Error(`this does not hold: ${text}`);
      print(`${tone('green', '✓')} ${text}`);
    },
  };
}

/** As a terminal shows them in the end: what a carriage return overwrites is left out. */
async function* wholeLines(stream: Readable): AsyncGenerator<string> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.map(lastOverwritten);
  }
  if (rest !== '') yield lastOverwritten(rest);
}

function lastOverwritten(line: string): string {
  return line.replace(/\r+$/, '').replace(/^.*\r/, '');
}
