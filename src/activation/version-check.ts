/** Is a binary the version that it was released as? Asked of what is staged, and again of what runs. */
import { UpdaterError } from '../errors.ts';
import type { Version } from '../release.ts';
import type { NodeSettings, VersionProbe } from '../settings.ts';
import type { ActivationContext } from './context.ts';
import { askVersion, type Answered } from './probe-room.ts';

/**
 * When the answer is asked for. `staged`: before the node is touched, where a pattern that finds nothing is the
 * configuration's fault. `current`: the same pattern has found the version in the same release a moment before, so now
 * the version is at fault.
 */
export type Moment = 'staged' | 'current';

/**
 * Throws GATE_VERSION for another version, GATE_BINARY for a program that cannot be run or ends badly, and
 * CONFIG_VERSION_PATTERN, which is no evidence against a version and never quarantines one. Without [version] all is well.
 */
export async function checkVersion(
  program: string,
  expected: Version,
  moment: Moment,
  context: ActivationContext,
): Promise<void> {
  const { settings } = context;
  if (settings.version === undefined) return;
  const problem = judgeAnswer(await askVersion(program, settings.version, context), {
    program,
    expected,
    moment,
    probe: settings.version,
    settings,
  });
  if (problem !== undefined) throw problem;
}

export interface Asked {
  readonly program: string;
  readonly expected: Version;
  readonly moment: Moment;
  readonly probe: VersionProbe;
  readonly settings: Pick<NodeSettings, 'node' | 'file'>;
}

/** What is wrong with an answer, or undefined. A leading `v` makes no difference. Pure. */
export function judgeAnswer(answer: Answered, asked: Asked): UpdaterError | undefined {
  if (answer.kind === 'version') {
    return answer.version.replace(/^v/, '') === asked.expected.replace(/^v/, '')
      ? undefined
      : another(answer.version, asked);
  }
  if (answer.reason === 'program') return badBinary(answer.message, asked);
  return asked.moment === 'staged' ? badPattern(answer.message, asked) : changedTune(answer.message, asked);
}

function another(said: string, { program, expected, settings }: Asked): UpdaterError {
  return new UpdaterError('GATE_VERSION', `${program} says that it is ${said}, but it was released as ${expected}`, {
    remedy:
      `Tell its publisher: the release does not hold what it is named for. ` +
      `If ${said} is only another number in what it prints, mend version.pattern in ${settings.file}.`,
  });
}

function badBinary(message: string, { program, expected, probe, settings }: Asked): UpdaterError {
  const command = [program, ...probe.args].join(' ');
  return new UpdaterError(
    'GATE_BINARY',
    `The binary of ${expected} does not tell its version: ${command}: ${message}`,
    {
      remedy:
        `See what it printed: journalctl -u node-updater-probe@${settings.node} -n 20. If it does not run on this host, tell ` +
        `its publisher; if it wants other arguments, mend version.args in ${settings.file}.`,
    },
  );
}

function badPattern(message: string, { expected, probe, settings }: Asked): UpdaterError {
  return new UpdaterError(
    'CONFIG_VERSION_PATTERN',
    `${settings.file}: version.pattern '${probe.pattern}' does not find the version of ${expected}: ${message}`,
    {
      remedy:
        `Mend version.pattern in ${settings.file}: its first group must be ${expected}. ` +
        `The node was not touched, and no version is blamed; the next run tries again.`,
    },
  );
}

function changedTune(message: string, { program, expected, settings }: Asked): UpdaterError {
  return new UpdaterError(
    'GATE_VERSION',
    `${program} said that it is ${expected} while it was staged, and does not say so any more: ${message}`,
    {
      remedy: `See what it printed: journalctl -u node-updater-probe@${settings.node} -n 20. Then tell its publisher.`,
    },
  );
}
