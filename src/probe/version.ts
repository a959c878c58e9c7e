import type { ProbeLine, ProbeOrder } from '../orders.ts';
import { UpdaterError } from '../errors.ts';
import type { ProbeDeps } from './room.ts';
import { firstGroup } from './match.ts';
import { describeOutcome, oneLine } from './words.ts';

const LARGEST_OUTPUT = 64 * 1024;
/** A version is a directory's name; nothing longer can be one. */
const LONGEST_VERSION = 64;

/** Runs the binary and finds the version in what it prints, on either stream. */
export async function askVersion(
  order: Extract<ProbeOrder, { kind: 'version' }>,
  { run, log }: Pick<ProbeDeps, 'run' | 'log'>,
): Promise<ProbeLine> {
  const { id, program, version, timeout } = order;
  const failed = (message: string): ProbeLine => {
    log.warn(`${program} does not tell its version: ${message}`);
    return { id, kind: 'version-failed', message: oneLine(message) };
  };
  try {
    const result = await run([program, ...version.args], { timeout, outputLimit: LARGEST_OUTPUT });
    const failure = describeOutcome(result, timeout);
    if (failure !== undefined) return failed(failure);
    const output = `${result.stdout.toString()}\n${result.stderr.toString()}`.slice(0, LARGEST_OUTPUT);
    const found = firstGroup(version.pattern, output)?.trim();
    if (found === undefined) return failed(`the pattern ${version.pattern} is not in its output: ${output.trim()}`);
    if (found === '') return failed(`the pattern ${version.pattern} finds an empty version`);
    if (found.length > LONGEST_VERSION) return failed(`what the pattern ${version.pattern} finds is too long`);
    return { id, kind: 'version', version: found };
  } catch (error) {
    if (error instanceof UpdaterError) return failed(error.message);
    throw error;
  }
}
