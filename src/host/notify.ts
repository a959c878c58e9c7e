/**
 * The heartbeat of a transaction: systemd ends a unit that has not asked for more time (TimeoutStartSec=), and the fallback acts. Send it
 * only from the loop that makes progress. Needs NotifyAccess=all: systemd-notify(1) is a child of ours.
 */
import type { Log, Run } from './ports.ts';
import { visible } from './log-line.ts';

export interface Notify {
  /** The unit may run for `ms` milliseconds from now. */
  heartbeat(ms: number): Promise<void>;
  /** The `Status:` of `systemctl status`. */
  status(text: string): Promise<void>;
}

const TIMEOUT = 10_000;

/**
 * Does nothing where systemd does not listen (NOTIFY_SOCKET is unset). A message that cannot be sent is a warning, not an error: if heartbeats
 * stay out for good, systemd ends the unit, as it should.
 */
export function makeNotify(environment: NodeJS.ProcessEnv, run: Run, log: Pick<Log, 'warn'>): Notify {
  const listening = (environment['NOTIFY_SOCKET'] ?? '') !== '';
  const send = async (assignment: string): Promise<void> => {
    if (!listening) return;
    const failure = await tell(assignment, run);
    if (failure !== undefined) log.warn('systemd could not be told of our progress', { cause: failure });
  };
  return {
    heartbeat: (ms) => send(`EXTEND_TIMEOUT_USEC=${Math.round(ms * 1000)}`),
    // One assignment a line: a line break in the text would be another assignment, such as MAINPID=.
    status: (text) => send(`STATUS=${visible(text)}`),
  };
}

async function tell(assignment: string, run: Run): Promise<string | undefined> {
  try {
    const result = await run(['systemd-notify', assignment], { timeout: TIMEOUT });
    if (result.status === 0) return undefined;
    return result.timedOut ? 'systemd-notify did not end' : result.stderr.toString('utf8').trim();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
