/** Two readers of unit text: one written from systemd.syntax(7), and systemd itself. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A reader of systemd's quoting, from systemd.syntax(7): words, C escapes, quotes. */
export function readWords(line: string): string[] {
  const words: string[] = [];
  let current: string | undefined;
  let quote = '';
  let start = 0;
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    if (char === '\\') {
      at += 1;
      if (!'\\"\' ;'.includes(line.charAt(at))) throw new Error(`unexpected escape in ${line}`);
      current = (current ?? '') + line.charAt(at);
    } else if (quote !== '') {
      if (char === quote) quote = '';
      else current = (current ?? '') + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      current ??= '';
    } else if (char === ' ') {
      if (current === ';' && line[start] === ';') throw new Error('a second command');
      if (current !== undefined) words.push(current);
      current = undefined;
    } else {
      if (current === undefined) start = at;
      current = (current ?? '') + char;
    }
  }
  if (quote !== '') throw new Error(`an open quote in ${line}`);
  return current === undefined ? words : [...words, current];
}

/** `%%` to `%`, and nothing else may be there; then `$$` to `$` for arguments. */
export function expand(text: string, sign: '%' | '$'): string {
  return text.replaceAll(sign === '%' ? /%(.?)/gs : /\$(.?)/gs, (_, next: string) => {
    if (next !== sign) throw new Error(`an expansion in ${text}`);
    return sign;
  });
}

export function valuesOf(text: string, key: string): string[] {
  return text.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

/** What systemd's own parser makes of a unit: `systemd --test` loads it, prints it, and starts nothing. */
export function readBySystemd(text: string, root: string): { environment: string[]; command: string[] } {
  writeFileSync(join(root, 'subject.service'), text);
  const manager = ['/lib/systemd/systemd', '--test', '--user', '--unit=subject.service', '--no-pager'];
  // It refuses to do so as root.
  const drop = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const [program = '', ...rest] = [...drop, ...manager];
  const output = execFileSync(program, rest, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: {
      PATH: process.env['PATH'],
      HOME: root,
      XDG_CONFIG_HOME: root,
      XDG_RUNTIME_DIR: root,
      SYSTEMD_UNIT_PATH: `${root}:`,
      LC_ALL: 'C.UTF-8',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const subject = output.split('-> Unit ').find((part) => part.startsWith('subject.service:')) ?? '';
  const after = (label: string) =>
    subject
      .split('\n')
      .flatMap((line) => (line.trimStart().startsWith(label) ? [line.trimStart().slice(label.length)] : []));
  return { environment: after('Environment: '), command: readWords(unescaped(after('Command Line: ').join(''))) };
}

/** systemd prints a command line as a shell would want it: in double quotes `$`, the backquote, `"` and `\` are escaped. */
function unescaped(line: string): string {
  return line.replaceAll(/\\([$`])/g, '$1');
}
