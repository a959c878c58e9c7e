/**
 * `run`: what the timer starts. Asks the transaction unit of every node that is due for a run, and ends; it waits for
 * none. What is wrong with one node never keeps another from its updates.
 */
import { exists } from '../if-there.ts';
import { loadSettings } from '../config/load.ts';
import { describeProblem, type Problem } from '../config/problems.ts';
import { CODES, EXIT, UpdaterError, type ExitCode } from '../errors.ts';
import type { Clock, Files, Log, SystemBus } from '../host/ports.ts';
import type { Layout } from '../layout.ts';
import { readLedger } from '../machine/ledger.ts';
import { findOpen } from '../machine/recover.ts';
import { leaveRequest } from '../machine/request.ts';
import { failureOf } from '../machine/run.ts';
import { readCheckState } from '../machine/state-files.ts';
import type { NodeSettings, Settings } from '../settings.ts';
import { isDue } from './due.ts';
import type { Host } from './host.ts';
import { transactionUnit } from './units.ts';

export interface RunDeps {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly files: Files;
  readonly log: Log;
  /** Connected when the first node is due: on most runs of most hosts nothing is. */
  readonly bus: () => Promise<Pick<SystemBus, 'startNoWait'>>;
}

export async function run(host: Host): Promise<ExitCode> {
  const { settings, problems } = loadSettings(host.layout, host.env, host.uid);
  const [files, log] = await Promise.all([host.files(), host.log(settings.global.logLevel)]);
  let bus: Promise<SystemBus> | undefined;
  try {
    return await runNodes(settings, problems, {
      layout: host.layout,
      clock: host.clock(),
      files,
      log,
      bus: () => (bus ??= host.bus(log)),
    });
  } finally {
    // One that could not be connected has been reported by whoever needed it.
    await bus?.then(
      (connected) => connected.close(),
      () => undefined,
    );
  }
}

/** 78 when the configuration has an error, else the exit code of what failed first, else 0. */
export async function runNodes(settings: Settings, problems: readonly Problem[], deps: RunDeps): Promise<ExitCode> {
  const { log } = deps;
  for (const problem of problems) {
    const text = `${describeProblem(problem)} ${problem.remedy}`;
    if (problem.severity === 'error') log.error(text, { code: problem.code });
    else log.warn(text);
  }
  const errors = problems.filter(({ severity }) => severity === 'error');
  // A key that holds for all nodes and is broken is a limit that nobody knows.
  if (errors.some(({ stops }) => stops === 'all')) return EXIT.configuration;
  const exits: ExitCode[] = errors.length > 0 ? [EXIT.configuration] : [];
  for (const node of settings.nodes) {
    const exit = await runNode(node, deps);
    if (exit !== EXIT.done) exits.push(exit);
  }
  return exits[0] ?? EXIT.done;
}

async function runNode(settings: NodeSettings, deps: RunDeps): Promise<ExitCode> {
  const { node } = settings;
  try {
    await askIfDue(settings, deps);
    return EXIT.done;
  } catch (error) {
    const { code, message, remedy } = failureOf(error);
    deps.log.error(`${node}: ${message}. ${remedy}`, { node, code });
    return CODES[code].exit;
  }
}

async function askIfDue({ interval, node }: NodeSettings, { bus, clock, files, layout, log }: RunDeps): Promise<void> {
  const place = layout.node(node);
  const { records } = await readLedger(place.ledger);
  const looked = (await readCheckState(place))?.at;
  // What holds the node down for nothing that is open is ended by the next run, too (machine/stale-hold.ts).
  const open = findOpen(records) === undefined && !(await exists(place.restoring)) ? 'settled' : 'open';
  const due = isDue({ now: clock.now(), interval, looked, open });
  if (!due.due) {
    log.debug(`${node} is not due before ${new Date(due.next).toISOString()}`, { node });
    return;
  }
  await files.makeDirectory(place.run, 0o755);
  try {
    await leaveRequest({ kind: 'run' }, place, clock);
    log.info(`${node} is due: ${due.why}`, { node });
  } catch (error) {
    if (!(error instanceof UpdaterError) || error.code !== 'HOST_LOCKED') throw error;
    // Its asker may be gone: the unit is started all the same, or the request would lie there for ever.
    log.info(`${node}: a request waits already`, { node });
  }
  await (await bus()).startNoWait(transactionUnit(node));
}
