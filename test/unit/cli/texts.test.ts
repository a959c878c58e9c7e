import { globSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { parseArgs } from '../../../src/cli/args.ts';
import { EXIT } from '../../../src/errors.ts';
import { runRelease, type ReleaseDeps } from '../../../src/cli/release.ts';

const FILES = ['README.md', 'src/**/*.{ts,md}', 'units/*', 'packaging/*', 'debian/node-autoupdate.*'];

/** Where a text tells somebody to type us: after a backtick, a colon or sudo, or at the start of a line of its own. */
const TYPED = /(?:`|: |; |sudo |^)node-updater ([a-z][a-z-]*)\b(?!\\)([^`'";,()|#\n]*)/gm;

interface Typed {
  readonly command: string;
  readonly options: readonly string[];
  readonly at: string;
}

/** What the program itself says of a command, by its `--help`. */
async function helpOf(words: readonly string[]): Promise<string> {
  const printed = vi.spyOn(console, 'log').mockReturnValue();
  const [command, ...rest] = words;
  if (command === 'release') await runRelease([...rest, '--help'], {} as ReleaseDeps);
  else await parseArgs([...words, '--help'], '0.1.0');
  const said = printed.mock.calls.flat().join('\n');
  printed.mockRestore();
  return said;
}

function typedIn(file: string): Typed[] {
  return [...readFileSync(file, 'utf8').matchAll(TYPED)].map(([text, word = '', rest = '']) => {
    const step = /^ [a-z]+/.exec(rest)?.[0] ?? '';
    const options = [...rest.replace(/\.\s.*/, '').matchAll(/--([a-z0-9-]+)/g)].map(([, option = '']) => option);
    return { command: word === 'release' ? `${word}${step}` : word, options, at: `${file}: ${text}` };
  });
}

/** `status`, `release build`. */
let commands: readonly string[] = [];

beforeAll(async () => {
  const named = async (words: readonly string[]) =>
    [...(await helpOf(words)).matchAll(/^ {2}node-updater ((?:release )?[a-z]+)/gm)].map(([, name = '']) => name);
  commands = [...(await named([])), ...(await named(['release']))];
});

describe('what texts tell somebody to type', () => {
  const typed = FILES.flatMap((pattern) => globSync(pattern)).flatMap(typedIn);
  const help = new Map<string, string>();

  beforeAll(async () => {
    for (const command of new Set(typed.map((one) => one.command))) {
      if (commands.includes(command)) help.set(command, await helpOf(command.split(' ')));
    }
  });

  it('is found', () => {
    expect(typed.length).toBeGreaterThan(100);
  });

  it('names commands that there are', () => {
    expect(typed.filter(({ command }) => !commands.includes(command)).map(({ at }) => at)).toEqual([]);
  });

  it('names options that these commands take', () => {
    const unknown = typed.filter(({ command, options }) =>
      options.some((option) => !new RegExp(`--(no-)?${option.replace(/^no-/, '')}\\b`).test(help.get(command) ?? '')),
    );
    expect(unknown.map(({ at }) => at)).toEqual([]);
  });
});

describe('the manual page', () => {
  const page = readFileSync('packaging/node-updater.1', 'utf8').replaceAll('\\-', '-');

  it('names every command', () => {
    const names = [...page.matchAll(/^\.B ([a-z]+)$/gm)].map(([, name]) => name);
    const steps: readonly string[] = /^For publishers:\n\.BR (.*)/m.exec(page)?.[1]?.match(/[a-z]+/g) ?? [];
    const missing = commands.filter((command) =>
      command.startsWith('release ') ? !steps.includes(command.slice('release '.length)) : !names.includes(command),
    );
    expect(missing).toEqual([]);
  });

  it('explains the exit codes that there are, as README.md does', () => {
    const codes = Object.values(EXIT).sort((a, b) => a - b);
    const readme = readFileSync('README.md', 'utf8');
    expect([...page.matchAll(/^\.B (\d+)$/gm)].map(([, code]) => Number(code))).toEqual(codes);
    expect([...readme.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code))).toEqual(codes);
  });
});
