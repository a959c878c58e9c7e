import { access } from 'node:fs/promises';
import { errnoOf, UpdaterError } from '../errors.ts';
import type { RunResult } from '../host/ports.ts';
import type { ProbeLine, ProbeOrder } from '../orders.ts';
import { firstGroup } from './match.ts';
import type { ProbeDeps } from './room.ts';
import { describeOutcome, oneLine } from './words.ts';

const LARGEST_OUTPUT = 64 * 1024;
/** A version is a directory's name; nothing longer can be one. */
const LONGEST_VERSION = 64;

type VersionOrder = Extract<ProbeOrder, { kind: 'version' }>;
type VersionFailed = Extract<ProbeLine, { kind: 'version-failed' }>;
/** What came of it, or why nothing did. */
type Found = { readonly found: string } | Pick<VersionFailed, 'reason' | 'message'>;

/**
 * Runs the binary and finds the version in what it prints, on either stream. Who is at fault is told apart: a program that
 * cannot be run or ends badly speaks against the release, a pattern that finds nothing against the configuration.
 */
export async function askVersion(order: VersionOrder, deps: Pick<ProbeDeps, 'run' | 'log'>): Promise<ProbeLine> {
  const { id, program, version } = order;
  const answer = await ask(order, deps);
  if ('found' in answer) return { id, kind: 'version', version: answer.found };
  deps.log.warn(`${[program, ...version.args].join(' ')}: ${answer.message}`);
  return { id, kind: 'version-failed', reason: answer.reason, message: oneLine(answer.message) };
}

async function ask(order: VersionOrder, { run }: Pick<ProbeDeps, 'run'>): Promise<Found> {
  const { program, version, timeout } = order;
  let result: RunResult;
  try {
    result = await run([program, ...version.args], { timeout, outputLimit: LARGEST_OUTPUT });
  } catch (error) {
    if (!(error instanceof UpdaterError)) throw error;
    return { reason: 'program', message: await cannotRun(program, error) };
  }
  const failure = describeOutcome(result, timeout);
  if (failure !== undefined) return { reason: 'program', message: failure };
  const output = `${result.stdout.toString()}\n${result.stderr.toString()}`.slice(0, LARGEST_OUTPUT);
  return find(version.pattern, output);
}

function find(pattern: string, output: string): Found {
  const found = attempt(pattern, output);
  if (found instanceof UpdaterError) return { reason: 'pattern', message: found.message };
  const version = found?.trim();
  if (version === undefined) return { reason: 'pattern', message: `it printed ${quoted(output)}` };
  if (version === '') return { reason: 'pattern', message: `what it finds in ${quoted(output)} is empty` };
  if (version.length <= LONGEST_VERSION) return { found: version };
  return { reason: 'pattern', message: `what it finds is longer than ${LONGEST_VERSION} characters: ${version}` };
}

/** The error says that the pattern takes too long, or is none. */
function attempt(pattern: string, output: string): string | undefined | UpdaterError {
  try {
    return firstGroup(pattern, output);
  } catch (error) {
    if (error instanceof UpdaterError) return error;
    throw error;
  }
}

function quoted(output: string): string {
  const text = output.trim();
  return text === '' ? 'nothing' : JSON.stringify(text);
}

/** The kernel says ENOENT for a program that is there, when what it names as its interpreter or loader is not. */
async function cannotRun(program: string, error: UpdaterError): Promise<string> {
  const errno = errnoOf(error.cause) ?? error.message;
  if (errno !== 'ENOENT') return `it cannot be run (${errno})`;
  try {
    await access(program);
  } catch (missing) {
    return `it is not there, or its user may not reach it (${errnoOf(missing) ?? String(missing)})`;
  }
  return 'it cannot be run: the interpreter or the dynamic loader that it names is not on this host';
}
