import type { RunResult } from '../host/ports.ts';

/** How a program ended when it was not well: undefined for status 0. */
export function describeOutcome(result: RunResult, timeout: number): string | undefined {
  if (result.timedOut) return `did not end within ${timeout} ms`;
  if (result.status === 0) return undefined;
  const said = result.stderr.toString().trim() || result.stdout.toString().trim();
  const how = result.signal === undefined ? `ended with status ${result.status ?? '?'}` : `ended by ${result.signal}`;
  return said === '' ? how : `${how}: ${said}`;
}

const LONGEST_LINE = 300;

/** Text from outside as one short printable line. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ').trim();
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE - 1)}…` : line;
}
