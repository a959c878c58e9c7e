/** What the demo prints: headings, prompts with what is typed, the real output, and what each act claims and has checked. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { styleText, type InspectColor } from 'node:util';

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
  // styleText alone would colour a pipe when FORCE_COLOR says so, and so be it; a terminal may refuse by NO_COLOR.
  const tone = (format: InspectColor | InspectColor[], text: string) => styleText(format, text, { stream });
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
        for await (const text of createInterface({ input: program.stdout })) {
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
