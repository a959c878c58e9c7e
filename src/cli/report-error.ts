import { causeText, EXIT, namingDisk, UpdaterError, type ExitCode } from '../errors.ts';
import type { Output } from './output.ts';

export type Format = 'text' | 'json';

/** Says what went wrong, and gives the exit code. An error that we did not foresee shows its stack. */
export function reportError(thrown: unknown, format: Format, output: Output): ExitCode {
  const error = namingDisk(thrown);
  if (!(error instanceof UpdaterError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    output.complain([...`node-updater: ${stack}`.split('\n'), `  → ${UNFORESEEN}`]);
    if (format === 'json') output.json({ schema: 1, error: { code: 'INTERNAL', message: stack, remedy: UNFORESEEN } });
    return EXIT.failed;
  }
  if (format === 'json') output.json({ schema: 1, error: errorAsData(error) });
  else output.complain(describeError(error));
  return error.exit;
}

const UNFORESEEN =
  'This is a fault in node-updater. Please report it with these lines, and with the command as you typed it.';

export interface ErrorData {
  readonly code: string;
  readonly message: string;
  readonly cause?: string;
  readonly remedy: string;
}

/** The same for programs. */
export function errorAsData(error: UpdaterError): ErrorData {
  const { code, message, remedy } = error;
  const cause = causeText(error);
  return { code, message, ...(cause === undefined ? {} : { cause }), remedy };
}

/** A message may have several lines (all problems of a configuration): the first is led by our name. */
export function describeError(error: UpdaterError): string[] {
  const cause = causeText(error);
  const [first = '', ...more] = `${error.message}${cause === undefined ? '' : ` (${cause})`}`.split('\n');
  return [`node-updater: ${first}`, ...more.map((line) => `  ${line}`), `  → ${error.remedy}`];
}
